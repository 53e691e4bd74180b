import '@conclave/client/media/worker'

/** The media worker, which fails or gets stuck when it is told to. */
addEventListener('message', ({ data }) => {
  if (data === 'fail') {
    setTimeout(() => {
      throw new Error('told to fail')
    })
  }
  while (data === 'hang') performance.now()
})
