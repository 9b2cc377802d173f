import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { Api } from './lib/api';
import { loadConfig } from './lib/config';
import { Shopper } from './lib/shopper.svelte';

/** The browser's storage, or null where the reader forbids it. */
function storage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

const { apiBase } = await loadConfig();
const shopper = new Shopper(new Api(apiBase), storage());
const target = document.getElementById('app');
if (target) mount(App, { target, props: { shopper } });
