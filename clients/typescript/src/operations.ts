/** Types of requests and answers, from the types of the OpenAPI document. */
import type { components, paths } from './schema.js';

/** The shapes of the API by name, such as `Schemas['Event']`. */
export type Schemas = components['schemas'];

export type Method = 'get' | 'put' | 'post' | 'patch' | 'delete';

/** The paths that support a method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P][M] extends { responses: unknown } ? P : never;
}[keyof paths];

type OperationOf<M extends Method, P extends PathOf<M>> = paths[P][M];

type Json<T> = T extends { content: { 'application/json': infer Body } } ? Body : undefined;

/** The body of a request. */
export type BodyOf<M extends Method, P extends PathOf<M>> =
  OperationOf<M, P> extends { requestBody?: infer Body } ? Json<NonNullable<Body>> : undefined;

type ParametersOf<M extends Method, P extends PathOf<M>, In extends 'path' | 'query'> =
  OperationOf<M, P> extends { parameters: infer All }
    ? In extends keyof All
      ? NonNullable<All[In]>
      : never
    : never;

/** What a request consists of beside its method and path. */
export interface Parts<M extends Method, P extends PathOf<M>> {
  /** The values of the names in the path. */
  path?: ParametersOf<M, P, 'path'>;
  query?: ParametersOf<M, P, 'query'>;
  body?: BodyOf<M, P>;
}

/** The body of a successful answer. */
export type AnswerOf<M extends Method, P extends PathOf<M>> =
  OperationOf<M, P> extends { responses: infer All }
    ? Json<All[keyof All & (200 | 201 | 202)]>
    : never;
