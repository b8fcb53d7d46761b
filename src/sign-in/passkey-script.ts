/** What a page does with a passkey: asks for a challenge, has the browser answer it, and sends the answer as its form. */
export const passkeyScript = `
for (const form of document.querySelectorAll('form[data-begin]')) {
  const problem = document.querySelector('[role=alert]')
  const make = form.dataset.kind === 'create'
  const read = globalThis.PublicKeyCredential && (make ? PublicKeyCredential.parseCreationOptionsFromJSON : PublicKeyCredential.parseRequestOptionsFromJSON)
  if (!read) continue
  for (const shown of document.querySelectorAll('[data-passkeys]')) shown.hidden = false
  form.addEventListener('submit', async event => {
    event.preventDefault()
    const button = form.querySelector('button')
    button.disabled = true
    problem.textContent = ''
    try {
      const answer = await fetch(form.dataset.begin, {
        method: 'POST',
        headers: { accept: 'application/json' },
        body: new URLSearchParams(new FormData(form)),
      })
      const begun = await answer.json()
      if (!answer.ok) throw new Error(begun.why + '\\n' + begun.fix)
      const publicKey = read.call(PublicKeyCredential, begun.options)
      const credential = await navigator.credentials[make ? 'create' : 'get']({ publicKey })
      form.elements.flow.value = begun.flow
      form.elements.response.value = JSON.stringify(credential)
      form.submit()
    } catch (error) {
      problem.textContent = error.name === 'Error' ? error.message : error.name === 'InvalidStateError'
        ? 'This device has a passkey for you here already.'
        : 'No passkey was used. Try again, or choose another way.'
      button.disabled = false
    }
  })
}
`
