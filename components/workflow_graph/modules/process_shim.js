// Vue Flow asks `process.env` once, which browsers do not have; import this before it.
globalThis.process ??= { env: { NODE_ENV: "production" } };
