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

/** What every product has, wherever it is shown. */
export interface ProductLabel {
  product_id: string;
  product_name: string;
  aisle: string;
  department: string;
}

export interface Product extends ProductLabel {
  /** Orders that hold it. */
  orders: number;
  in_stock: boolean;
}

export interface Products {
  products: Product[];
  /** All that match, on every page of the list. */
  total: number;
}

export interface Department {
  department: string;
  products: number;
  aisles: { aisle: string; products: number }[];
}

export interface FeatureContribution {
  name: string;
  /** Before scaling; null where it is missing. */
  value?: number | null;
  /** Log-odds that it adds (SHAP). */
  contribution: number;
}

export interface Explanation {
  /** Which source made it a candidate. */
  source: string;
  /** Log-odds before any feature is known; null without a model. */
  base?: number | null;
  features: FeatureContribution[];
}

/** A product with its probability (0–1) of being bought next, and why. */
export interface Recommendation extends ProductLabel {
  probability: number;
  reasons: string[];
  /** Only when asked for. */
  explanation?: Explanation | null;
}

/** Answer of `POST /submit`. */
export interface SubmitAnswer {
  message: string;
  event_id: string;
  record_id?: string | null;
  shard_id?: string | null;
  recommendation_id: string;
  model_version: string;
  /** Whether a part was down and the list comes from what is left. */
  degraded: boolean;
  recommendations: Recommendation[];
}

/** Answer of `POST /v1/recommendations`. */
export interface Recommendations {
  recommendation_id: string;
  model_version: string;
  release: string;
  degraded: boolean;
  recommendations: Recommendation[];
  /** How many candidates each source gave; only when explained. */
  candidates?: { source: string; candidates: number }[] | null;
}

export interface UserSummary {
  user_id: string;
  orders: number;
  /** Distinct products bought. */
  products: number;
  /** Names of up to three products, most bought first. */
  favourites: string[];
  /** Mean days between orders; null with one order. */
  mean_days?: number | null;
}

export interface CartItem extends ProductLabel {
  quantity: number;
}

/** Answer of `GET /v1/users/{id}/cart`: what the server knows of the session. */
export interface Cart {
  user_id: string;
  items: CartItem[];
  /** Newest first, at most 12. */
  viewed: ProductLabel[];
}

export interface BoughtProduct extends ProductLabel {
  orders: number;
  /** Number of the user's order that held it last. */
  last_order_number: number;
  /** Mean place in the cart, from 1. */
  mean_position: number;
}

export interface UserRecord {
  orders: number;
  products: number;
  lines: number;
  mean_days_since_prior: number;
  reorder_ratio: number;
  last_order_ms?: number | null;
  /** Most bought first, at most 100. */
  bought: BoughtProduct[];
}

export interface SessionView {
  cart: CartItem[];
  views: { product: ProductLabel; at_ms: number }[];
  checkouts: { event_id: string; received_at_ms: number; items: ProductLabel[] }[];
  events: number;
  updated_ms: number;
}

/** Answer of `GET /v1/users/{id}`. */
export interface UserDetail {
  user_id: string;
  feature_set: string;
  /** Null for a user without history in the serving feature set. */
  record?: UserRecord | null;
  /** Null where nothing happened in seven days. */
  session?: SessionView | null;
}

export interface Readiness {
  ready: boolean;
  /** Whether the sessions have caught up with the stream. */
  sessions: boolean;
  engine: {
    ready: boolean;
    release?: string | null;
    model_version?: string | null;
    products: number;
    users: number;
  };
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

// ---- the console ----

export interface Percentiles {
  p50: number;
  p99: number;
}

/** Where an event is on its way. */
export type EventStage = 'accepted' | 'synced' | 'delivered' | 'in_feature_set' | 'in_model';

export interface LiveEvent {
  event_id: string;
  user_id: string;
  event: string;
  product_ids: string[];
  received_at_ms: number;
  stage: EventStage;
  /** `shard-sequence`; null until it is synced. */
  record_id?: string | null;
  /** Milliseconds from acceptance to durability; null until then. */
  sync_ms?: number | null;
  /** The lake's file; null until it is delivered. */
  file?: string | null;
  /** The serving feature set, if it holds this checkout. */
  feature_set?: string | null;
  /** The serving model, if it was trained on that feature set. */
  model_version?: string | null;
}

/** One second of traffic. */
export interface LiveSecond {
  at_ms: number;
  requests: number;
  /** Answers with a status of 500 and more. */
  errors: number;
  events: number;
  recommendations: number;
}

/** Data of each `live` event of `GET /v1/live`, once a second. */
export interface Live {
  now_ms: number;
  ready: boolean;
  release?: string | null;
  model_version?: string | null;
  products: number;
  users: number;
  /** The last 60 whole seconds, oldest first. */
  seconds: LiveSecond[];
  /** Milliseconds over the last minute; null without requests. */
  submit_ms?: Percentiles | null;
  recommend_ms?: Percentiles | null;
  /** From acceptance to durability. */
  sync_ms?: Percentiles | null;
  events_total: number;
  degraded_total: number;
  impressions_dropped_total: number;
  shards: number;
  delivery: {
    /** Accepted records that are not in the lake yet. */
    waiting: number;
    /** Age of the oldest of them in milliseconds; null with none. */
    oldest_ms?: number | null;
    /** Files written since the start. */
    files: number;
    last_file?: string | null;
    last_ms?: number | null;
    /** Why the last try failed; null after a success. */
    error?: string | null;
  };
  sessions: {
    /** Records that the consumer of sessions has not applied yet. */
    waiting: number;
  };
  /** The running execution; null without one. */
  run?: { name: string; current: string[] } | null;
  /** Newest first, at most 50. */
  events: LiveEvent[];
}

export type RunStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

export interface RunSummary {
  name: string;
  machine: string;
  status: string;
  started_ms: number;
  stopped_ms?: number | null;
  error?: string | null;
  /** States that are being worked on. */
  current: string[];
}

export interface HistoryEntry {
  id: number;
  previousEventId: number;
  timestamp_ms: number;
  /** As AWS's GetExecutionHistory names them: TaskStateEntered, TaskScheduled, TaskFailed … */
  type: string;
  /** name, input, output, error, cause, resource: what the type has. */
  details: unknown;
}

export interface StateProgress {
  what: string;
  done: number;
  total?: number | null;
}

export interface Run extends RunSummary {
  input: unknown;
  output?: unknown;
  cause?: string | null;
  /** By state. */
  progress: Record<string, StateProgress>;
  /** In the Amazon States Language. */
  definition: unknown;
  history: HistoryEntry[];
}

export interface Executions {
  executions: RunSummary[];
  /** Runs whose files cannot be read, in words. */
  damaged: string[];
}

export interface LogLine {
  at_ms: number;
  /** The state whose job wrote it. */
  state: string;
  text: string;
}

export type ModelStatus = 'candidate' | 'serving' | 'previous' | 'retired' | 'rejected';

export interface Mean {
  mean: number;
  se: number;
}

export interface Method {
  /** A baseline's name, or `model`, which comes last. */
  name: string;
  recall_at_10: Mean;
  ndcg_at_10: Mean;
  phr_at_10: Mean;
  recall_at_20: Mean;
  ndcg_at_20: Mean;
  phr_at_20: Mean;
}

export interface CalibrationBin {
  /** Mean predicted probability. */
  predicted: number;
  /** Share that was bought. */
  observed: number;
  rows: number;
}

export interface Report {
  feature_set: string;
  model?: string | null;
  users: number;
  methods: Method[];
  candidate_recall: Mean;
  log_loss: number;
  calibration_error: number;
  calibration: CalibrationBin[];
  half_cart_recall_at_10: Mean;
  comparison: { reference: string; serving: boolean; difference: Mean };
}

export interface ModelEvaluation {
  run: string;
  passed: boolean;
  decided_ms: number;
  report?: Report | null;
}

export interface Model {
  version: string;
  status: ModelStatus;
  created_ms: number;
  feature_set: string;
  schema_hash: string;
  model_sha256: string;
  /** Hyperparameters, by name. */
  parameters: Record<string, string>;
  /** One sentence on what it is worth. */
  verdict: string;
  evaluation?: ModelEvaluation | null;
}

export interface LearningCurve {
  /** Such as `auc` or `logloss`. */
  metric: string;
  /** One value a round. */
  train: number[];
  /** Empty without validation rows. */
  valid: number[];
}

export interface FeatureImportance {
  feature: string;
  /** Sum of the loss that its splits saved. */
  gain: number;
  splits: number;
}

export interface ModelDetail extends Model {
  trees: number;
  learning: LearningCurve[];
  /** By gain, falling. */
  importance: FeatureImportance[];
}

export interface Release {
  feature_set: string;
  model?: string | null;
  schema_hash: string;
}

export interface LakeTable {
  name: string;
  files: number;
  rows: number;
  bytes: number;
  newest_ms?: number | null;
}

export interface FeatureSetView {
  version: string;
  serving: boolean;
  created_ms: number;
  users: number;
  orders: number;
  lines: number;
  products: number;
  train_rows: number;
  valid_rows: number;
  gate_examples: number;
}

export interface Rejects {
  rows: number;
  /** The file, relative to the data directory. */
  file: string;
  /** Up to 10 rows. */
  sample: { file: string; line: string; reason: string; row: string }[];
}

/** Work on the lake that was started from here; one at a time. */
export interface LakeJob {
  kind: 'import' | 'generate';
  state: 'running' | 'done' | 'failed';
  /** The step in words. */
  what: string;
  done: number;
  total?: number | null;
  started_ms: number;
  ended_ms?: number | null;
  /** What it came to, or why it failed. */
  message?: string | null;
}

export interface Lake {
  tables: LakeTable[];
  feature_sets: FeatureSetView[];
  /** Of the last import; null with none. */
  rejects?: Rejects | null;
  job?: LakeJob | null;
}

export interface LakeTableDetail extends LakeTable {
  columns: { name: string; type: string; nullable: boolean }[];
  /** Newest first, at most 20. */
  newest_files: { path: string; rows: number; bytes: number; written_ms: number }[];
  /** Up to 20 rows of the newest file. */
  sample: { columns: string[]; rows: (string | null)[][] };
}

export interface StartImport {
  kind: 'import';
  /** A directory on the server's machine. */
  directory: string;
}

export interface StartGenerate {
  kind: 'generate';
  users: number;
  products: number;
  orders: number;
  seed: number;
}

export interface Funnel {
  /** Places shown. */
  shown: number;
  viewed: number;
  added: number;
  bought: number;
}

export interface Quality {
  from_ms: number;
  to_ms: number;
  /** Whether there were more answers than are looked at. */
  truncated: boolean;
  /** Answers that showed something. */
  answers: number;
  total: Funnel;
  models: (Funnel & { model_version: string; answers: number; positions: Funnel[] })[];
  /** Place 1 first. */
  positions: Funnel[];
  /** Oldest first. */
  days: (Funnel & { day: string })[];
}
