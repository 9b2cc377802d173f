// Fills in the example calls of the reference, and sends them.
'use strict';

const key = document.getElementById('key');

/** The request that a form describes. */
function requestOf(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = {};
  for (const field of form.querySelectorAll('input')) {
    const { name } = field;
    const value = field.value.trim();
    if (field.dataset.in === 'path') path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value === '') continue;
    else if (field.dataset.in === 'query') query.append(name, value);
    else headers[name] = value;
  }
  if (key.value !== '') headers.authorization = `Bearer ${key.value}`;
  const body = form.querySelector('textarea')?.value;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const search = query.size > 0 ? `?${query}` : '';
  return { url: location.origin + path + search, method: form.dataset.method, headers, body };
}

/** The same request as a command. The key stays out of it. */
function curlOf({ url, method, headers, body }) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ['curl -s', method === 'GET' ? '' : `-X ${method}`, quote(url)];
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'authorization') parts.push('-H "authorization: Bearer $CARTWHEEL_API_KEY"');
    else parts.push(`-H ${quote(`${name}: ${value}`)}`);
  }
  if (body !== undefined) parts.push(`\\\n  -d ${quote(body)}`);
  return parts.filter((part) => part !== '').join(' ');
}

async function send(form) {
  const { url, ...options } = requestOf(form);
  const output = form.querySelector('output');
  output.textContent = 'Waiting for the answer…';
  const stop = new AbortController();
  // Streams do not end by themselves.
  const timer = setTimeout(() => stop.abort(), 5000);
  let text = '';
  try {
    const answer = await fetch(url, { ...options, signal: stop.signal });
    output.textContent = text = `${answer.status} ${answer.statusText}\n`;
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader?.read(); part && !part.done; part = await reader.read()) {
      text += part.value;
      if (text.length > 100_000) stop.abort();
    }
  } catch (error) {
    text += error.name === 'AbortError' ? '\n… stopped here' : `${error}`;
  }
  clearTimeout(timer);
  const [status, ...rest] = text.split('\n');
  let shown = rest.join('\n');
  try {
    shown = JSON.stringify(JSON.parse(shown), null, 2);
  } catch {
    // Not JSON: shown as it is.
  }
  output.textContent = `${status}\n${shown}`;
}

const forms = [...document.querySelectorAll('form')];
const show = (form) => (form.querySelector('.curl').textContent = curlOf(requestOf(form)));
for (const form of forms) {
  form.addEventListener('input', () => show(form));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void send(form);
  });
}
key.addEventListener('input', () => forms.forEach(show));
forms.forEach(show);
