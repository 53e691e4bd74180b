# The keyserver. Build it from the repository's root:
#   docker build --file infra/containers/keyserver.Dockerfile .

FROM node:24-bookworm-slim AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY core/package.json core/
COPY client-sdk/package.json client-sdk/
COPY keyserver/package.json keyserver/
COPY sfu/package.json sfu/
COPY infra/package.json infra/
COPY examples/meeting/package.json examples/meeting/

FROM manifests AS dependencies
RUN npm ci

# The same in every image, so that Docker builds it once.
FROM dependencies AS build
COPY tsconfig.json ./
COPY core core/
COPY client-sdk client-sdk/
COPY keyserver keyserver/
COPY sfu sfu/
COPY examples/meeting examples/meeting/
RUN npx tsc -b examples/meeting

FROM manifests AS production
RUN npm ci --omit=dev --workspace @conclave/keyserver

FROM node:24-bookworm-slim
ENV NODE_ENV=production CONCLAVE_KEYSERVER_HOST=0.0.0.0
WORKDIR /app
COPY --from=production /app ./
COPY --from=build /app/core/dist core/dist/
COPY --from=build /app/keyserver/dist keyserver/dist/
# The Lua scripts are read from the package's sources.
COPY keyserver/src keyserver/src/
COPY infra/containers/healthcheck.mjs infra/containers/
USER node
EXPOSE 4444
# Whether the process lives. Whether it gets new clients (/readyz) the proxy asks.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "infra/containers/healthcheck.mjs", "http://127.0.0.1:4444/healthz"]
CMD ["node", "keyserver/dist/edge/bin.js"]
