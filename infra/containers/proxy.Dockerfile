# Caddy as nobody in particular: it listens above 1024 and needs no capability.

FROM caddy:2.10-alpine
RUN setcap -r /usr/bin/caddy && install -d -o 1000 -g 1000 /var/lib/caddy
ENV XDG_DATA_HOME=/var/lib/caddy/data XDG_CONFIG_HOME=/var/lib/caddy/config
COPY infra/containers/Caddyfile /etc/caddy/Caddyfile
USER 1000:1000
EXPOSE 8080 8443
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["wget", "--quiet", "--output-document=-", "http://127.0.0.1:8081/healthz"]
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
