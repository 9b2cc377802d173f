/** The shapes on the wire, as the API's contract names them. */

/** Kinds of event, in the order of the documentation. */
export const EVENT_KINDS = [
  'view',
  'add_to_cart',
  'remove_from_cart',
  'update_cart',
  'checkout',
  'get_recommendations',
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

/** A product of an event; `quantity` counts pieces and defaults to 1. */
export interface EventItem {
  product_id: string;
  quantity?: number;
  price?: number;
}

/** Body of `POST /submit`. */
export interface EventBody {
  event_id: string;
  user_id: string;
  session_id?: string;
  event: EventKind;
  product_ids?: string[];
  items?: EventItem[];
  /** The answer whose list led to this event. */
  recommendation_id?: string;
}

export interface Product {
  product_id: string;
  product_name: string;
  aisle: string;
  department: string;
}

/** A product with its probability (0–1) of being bought next, and why. */
export interface Recommendation extends Product {
  probability: number;
  reasons: string[];
}

/** Answer of `POST /submit`. */
export interface SubmitAnswer {
  message: string;
  event_id: string;
  record_id: string;
  shard_id: string;
  recommendation_id: string;
  model_version: string;
  /** Whether a part was down and the list comes from what is left. */
  degraded: boolean;
  recommendations: Recommendation[];
}

export interface UserSummary {
  user_id: string;
  orders: number;
  products: number;
}

export interface Readiness {
  ready: boolean;
  model_version: string;
}

/** A problem document (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  field?: string;
  expected?: string;
}
