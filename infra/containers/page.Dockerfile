# The meeting page alone, with its content security policy, for a proxy that speaks TLS. Build it
# from the repository's root:
#   docker build --file infra/containers/page.Dockerfile .

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

FROM build AS page
RUN cd examples/meeting && npx vite build

FROM manifests AS production
RUN npm ci --omit=dev --workspace @conclave/example-meeting

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=production /app ./
COPY --from=build /app/core/dist core/dist/
COPY --from=page /app/examples/meeting/dist examples/meeting/dist/
COPY infra/containers/healthcheck.mjs infra/containers/
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "infra/containers/healthcheck.mjs", "http://127.0.0.1:3000/"]
CMD ["node", "examples/meeting/dist/pageServer.js", "--host", "0.0.0.0"]
