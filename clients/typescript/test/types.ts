// Compiled, never run: what the types refuse.
import { Cartwheel } from '../dist/index.js';

const cartwheel = new Cartwheel({ url: 'http://127.0.0.1:8080' });

export async function typed(): Promise<void> {
  const { recommendations } = await cartwheel.recommend({ user_id: '1', limit: 3 });
  const name: string = recommendations[0]!.product_name;
  const similar = await cartwheel.request('get', '/v1/products/{id}/similar', {
    path: { id: name },
    query: { limit: 3 },
  });
  similar.recommendations satisfies { product_id: string }[];
  // @ts-expect-error: there is no such event.
  cartwheel.track({ event: 'looked_at', user_id: '1' });
  // @ts-expect-error: the field has another name.
  await cartwheel.recommend({ user: '1' });
  // @ts-expect-error: the path has no such method.
  await cartwheel.request('delete', '/v1/popular');
}
