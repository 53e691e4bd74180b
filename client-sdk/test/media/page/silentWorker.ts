/** A worker that never confirms a transform. */
export {}
