/** Where the server of tests in a browser has the vector files. */
export const vectorPath = '/conclave-vectors'
