import { render } from 'preact'
import { App } from './app.tsx'
import { Conversation } from './conversation.ts'
import { readAddress } from './pageAddress.ts'

const root = document.getElementById('app')
if (root !== null) {
  render(<App address={readAddress()} join={(options) => Conversation.join(options)} />, root)
}
