import { mount } from 'svelte';
import Root from './Root.svelte';
import './app.css';
import { Api } from './lib/api';
import { App } from './lib/app.svelte';
import { loadConfig } from './lib/config';

const { apiBase, apiKey } = await loadConfig();
const api = new Api(apiBase);
api.key = apiKey;
const target = document.getElementById('app');
if (target) mount(Root, { target, props: { app: new App(api) } });
