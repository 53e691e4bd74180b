/** What @peculiar/x509's dependency container asks of reflect-metadata when it is loaded. */
Object.assign(Reflect, {
  getMetadata: () => undefined,
  getOwnMetadata: () => undefined,
  hasOwnMetadata: () => false,
  defineMetadata: () => {},
})
