# The SFU, with a mediasoup worker built against Debian's libraries. Build it from the repository's
# root:
#   docker build --file infra/containers/sfu.Dockerfile .

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

# As root on Debian the recipe installs what it needs to build.
FROM dependencies AS worker
ENV MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD=1
COPY infra/entry infra/entry/
COPY infra/mediasoup-worker infra/mediasoup-worker/
RUN cp "$(node infra/mediasoup-worker/resolve.mjs)" /usr/local/bin/mediasoup-worker

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
RUN npm ci --omit=dev --workspace @conclave/sfu

FROM node:24-bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends \
    libabsl20220623 libsrtp2-1 libssl3 libstdc++6 libuv1 \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production \
  MEDIASOUP_WORKER_BIN=/usr/local/bin/mediasoup-worker \
  SFU_HOST=0.0.0.0 \
  SFU_MEDIA_IP=0.0.0.0
WORKDIR /app
COPY --from=worker /usr/local/bin/mediasoup-worker /usr/local/bin/mediasoup-worker
COPY --from=production /app ./
COPY --from=build /app/core/dist core/dist/
COPY --from=build /app/sfu/dist sfu/dist/
COPY infra/containers/healthcheck.mjs infra/containers/
USER node
EXPOSE 4443
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "infra/containers/healthcheck.mjs", "http://127.0.0.1:4443/healthz"]
CMD ["node", "sfu/dist/bin.js"]
