<?php

declare(strict_types=1);

namespace Cartwheel;

/**
 * The shapes of the API, for analysers: `@phpstan-import-type Event from \Cartwheel\Schema`.
 *
 * Made by clients/generate.py from webapp/openapi.json.
 *
 * @phpstan-type Aisle array{
 *   aisle: string,
 *   products: int,
 * }
 * @phpstan-type AnsweredProduct array{
 *   probability: int|float,
 *   product_id: string,
 *   rule?: string|null,
 *   source: string,
 * }
 * @phpstan-type AssistantMessage array{
 *   id?: MessageId|null,
 *   jsonrpc: string,
 *   method: string,
 *   params?: array<string, mixed>|null,
 * }
 * @phpstan-type Attribute bool|int|float|string|list<string>
 * @phpstan-type BatchAnswer array{
 *   failed_count: int,
 *   ignored_count: int,
 *   records: list<EventResult>,
 * }
 * @phpstan-type Beacon array{
 *   events: list<Event>,
 *   key?: string|null,
 * }
 * @phpstan-type BoughtBefore array{
 *   aisle: string,
 *   department: string,
 *   product_id: string,
 *   product_name: string,
 *   currency?: string|null,
 *   image_url?: string|null,
 *   in_stock: bool,
 *   list_price?: string|null,
 *   price?: string|null,
 *   shown: bool,
 *   orders: int,
 * }
 * @phpstan-type BoughtProduct array{
 *   aisle: string,
 *   department: string,
 *   product_id: string,
 *   product_name: string,
 *   last_order_number: int,
 *   mean_position: int|float,
 *   orders: int,
 * }
 * @phpstan-type CalibrationBin array{
 *   observed: int|float,
 *   predicted: int|float,
 *   rows: int,
 * }
 * @phpstan-type Cart array{
 *   items: list<CartItem>,
 *   user_id: string,
 *   viewed: list<ProductLabel>,
 * }
 * @phpstan-type CartChangeSeen array{
 *   at_ms: int,
 *   is_added: bool,
 *   product: ProductLabel,
 * }
 * @phpstan-type CartItem array{
 *   aisle: string,
 *   department: string,
 *   product_id: string,
 *   product_name: string,
 *   currency?: string|null,
 *   image_url?: string|null,
 *   in_stock: bool,
 *   list_price?: string|null,
 *   price?: string|null,
 *   shown: bool,
 *   quantity: int,
 * }
 * @phpstan-type CatalogueEntry array{
 *   aisle: string,
 *   brand?: string|null,
 *   currency?: string|null,
 *   department: string,
 *   image_url?: string|null,
 *   in_stock: bool,
 *   list_price?: string|null,
 *   orders: int,
 *   price?: string|null,
 *   product_id: string,
 *   product_name: string,
 *   shown: bool,
 *   url?: string|null,
 *   changed_at_ms?: int|null,
 *   etag?: string|null,
 *   product?: CatalogueProduct|null,
 * }
 * @phpstan-type CataloguePage array{
 *   next_cursor?: string|null,
 *   products: list<CatalogueEntry>,
 *   total: int,
 * }
 * @phpstan-type CatalogueProduct array{
 *   attributes?: array<string, Attribute>,
 *   available_from?: string|null,
 *   available_until?: string|null,
 *   brand?: string|null,
 *   categories?: list<string>,
 *   cost?: string|null,
 *   created_at?: string|null,
 *   currency?: string|null,
 *   description?: string|null,
 *   hidden?: bool,
 *   image_url?: string|null,
 *   in_stock?: bool|null,
 *   list_price?: string|null,
 *   name?: string|null,
 *   price?: string|null,
 *   product_id: string,
 *   stock?: int|null,
 *   tags?: list<string>,
 *   url?: string|null,
 * }
 * @phpstan-type CheckoutSeen array{
 *   event_id: string,
 *   items: list<ProductLabel>,
 *   received_at_ms: int,
 * }
 * @phpstan-type ClientIntegrations array{
 *   'Segment.io': ClientTarget,
 * }
 * @phpstan-type ClientMetrics array{
 *   sampleRate: int,
 * }
 * @phpstan-type ClientSettings array{
 *   integrations: ClientIntegrations,
 *   metrics: ClientMetrics,
 * }
 * @phpstan-type ClientTarget array{
 *   apiHost: string,
 *   apiKey: string,
 *   protocol: string,
 * }
 * @phpstan-type Comparison array{
 *   difference: Mean,
 *   p_value?: int|float|null,
 *   recall_at_10?: Mean|null,
 *   reference: string,
 *   serving: bool,
 * }
 * @phpstan-type ConflictKind 'same_place'|'pinned_and_blocked'|'demanded_and_blocked'|'too_many'|'moved_and_blocked'|'boosted_and_buried'|'never_holds'
 * @phpstan-type DateOrder 'dmy'|'mdy'
 * @phpstan-type DayQuality array{
 *   added: int,
 *   bought: int,
 *   revenue: int|float,
 *   sent: int,
 *   shown: int,
 *   viewed: int,
 *   day: string,
 * }
 * @phpstan-type Department array{
 *   aisles: list<Aisle>,
 *   department: string,
 *   products: int,
 * }
 * @phpstan-type Departments array{
 *   departments: list<Department>,
 * }
 * @phpstan-type DocumentHistory array{
 *   versions: list<DocumentVersion>,
 * }
 * @phpstan-type DocumentVersion array{
 *   by: string,
 *   changed?: list<string>|null,
 *   changed_at_ms: int,
 *   version: int,
 * }
 * @phpstan-type DueDates array{
 *   all: DueSlice,
 *   interval: int|float,
 *   last_gap_error_days: int|float,
 *   mean_gap_error_days: int|float,
 *   repeated: DueSlice,
 *   slices: list<DueSlice>,
 *   within: Mean,
 * }
 * @phpstan-type DueSlice array{
 *   error_days: int|float,
 *   from: int,
 *   purchases: int,
 *   width_days: int|float,
 *   within: int|float,
 * }
 * @phpstan-type EarlierImports array{
 *   events: int,
 *   imports: int,
 *   orders: int,
 * }
 * @phpstan-type EngineStatus array{
 *   degraded: bool,
 *   model_version?: string|null,
 *   products: int,
 *   ready: bool,
 *   release?: string|null,
 *   users: int,
 * }
 * @phpstan-type ErasureStep 'lake'|'features'
 * @phpstan-type ErasureView array{
 *   erased_at_ms: int,
 *   step: ErasureStep,
 *   unreadable: list<string>,
 *   user_id: string,
 * }
 * @phpstan-type ErasuresView array{
 *   erasures: list<ErasureView>,
 * }
 * @phpstan-type Event array{
 *   anonymous_id?: Id|null,
 *   country?: string|null,
 *   event: EventName,
 *   event_id?: Id|null,
 *   items?: list<Item>|null,
 *   product_ids?: list<Id>|null,
 *   query?: string|null,
 *   recommendation_id?: Id|null,
 *   session_id?: Id|null,
 *   source?: Id|null,
 *   timestamp?: int|null,
 *   user_id?: Id|null,
 * }
 * @phpstan-type EventName 'view'|'search'|'add_to_cart'|'remove_from_cart'|'update_cart'|'checkout'|'return'|'identify'|'get_recommendations'|'impression'
 * @phpstan-type EventResult array{
 *   error?: Problem|null,
 *   event_id?: string|null,
 *   ignored?: bool|null,
 *   record_id?: string|null,
 *   shard_id?: string|null,
 *   warnings?: list<string>,
 * }
 * @phpstan-type EventStage 'accepted'|'synced'|'delivered'|'in_feature_set'|'in_model'
 * @phpstan-type Executions array{
 *   damaged: list<string>,
 *   executions: list<RunSummary>,
 * }
 * @phpstan-type Explanation array{
 *   base?: int|float|null,
 *   features: list<FeatureContribution>,
 *   source: string,
 *   value?: ValueShare|null,
 * }
 * @phpstan-type ExplorationQuality array{
 *   compared: int,
 *   explored: Funnel,
 *   lost_revenue: int|float,
 *   lost_views: int|float,
 *   others: Funnel,
 *   products: list<ExploredProduct>,
 * }
 * @phpstan-type ExploredProduct array{
 *   clicks: int,
 *   high: int|float,
 *   low: int|float,
 *   mean: int|float,
 *   product_id: string,
 *   product_name: string,
 *   trials: int,
 * }
 * @phpstan-type Facet array{
 *   count: int,
 *   name: string,
 * }
 * @phpstan-type Facets array{
 *   aisles: list<Facet>,
 *   brands: list<Facet>,
 *   departments: list<Facet>,
 *   in_stock: int,
 *   prices: list<PriceRange>,
 * }
 * @phpstan-type FeatureContribution array{
 *   contribution: int|float,
 *   label: string,
 *   name: string,
 *   subject: string,
 *   unit: string,
 *   value?: int|float|null,
 * }
 * @phpstan-type FeatureImportance array{
 *   feature: string,
 *   gain: int|float,
 *   splits: int,
 * }
 * @phpstan-type FeatureSetView array{
 *   created_ms: int,
 *   gate_examples: int,
 *   lines: int,
 *   orders: int,
 *   products: int,
 *   serving: bool,
 *   train_rows: int,
 *   users: int,
 *   valid_rows: int,
 *   version: string,
 * }
 * @phpstan-type Figures array{
 *   difference?: Mean|null,
 *   folds?: int,
 *   gate_users?: int,
 *   margin?: int|float,
 *   min_users?: int,
 *   recall_at_10?: Mean|null,
 *   reference?: string|null,
 *   reference_recall_at_10?: Mean|null,
 *   strongest_baseline?: string|null,
 *   strongest_difference?: Paired|null,
 *   users?: int,
 * }
 * @phpstan-type File string
 * @phpstan-type FileImport array{
 *   bytes: int,
 *   changed_ms: int,
 *   error?: string|null,
 *   fields: list<string>,
 *   import_id: string,
 *   kind: ImportContent,
 *   mapping: ImportMapping,
 *   name: string,
 *   preview?: ImportPreview|null,
 *   progress?: ImportProgress|null,
 *   result?: ImportResult|null,
 *   state: ImportState,
 * }
 * @phpstan-type FileImports array{
 *   earlier: EarlierImports,
 *   import?: FileImport|null,
 *   max_upload_bytes: int,
 *   presets: list<string>,
 * }
 * @phpstan-type Filters array{
 *   aisles?: list<string>,
 *   departments?: list<string>,
 *   exclude_products?: list<Id>,
 *   exclude_purchased?: bool,
 *   in_stock_only?: bool,
 * }
 * @phpstan-type Funnel array{
 *   added: int,
 *   bought: int,
 *   revenue: int|float,
 *   sent: int,
 *   shown: int,
 *   viewed: int,
 * }
 * @phpstan-type Ga4Event array{
 *   name: string,
 *   params?: array<string, mixed>|null,
 *   timestamp_micros?: int|null,
 * }
 * @phpstan-type Ga4Request array{
 *   app_instance_id?: Id|null,
 *   client_id?: Id|null,
 *   events: list<Ga4Event>,
 *   timestamp_micros?: int|null,
 *   user_id?: Id|null,
 * }
 * @phpstan-type HistoryEntry array{
 *   details: mixed,
 *   id: int,
 *   previousEventId: int,
 *   timestamp_ms: int,
 *   type: string,
 * }
 * @phpstan-type Id string|int
 * @phpstan-type ImportColumn array{
 *   examples: list<string>,
 *   name: string,
 * }
 * @phpstan-type ImportContent 'events'|'orders'|'products'
 * @phpstan-type ImportField array{
 *   columns: list<string>,
 *   field: string,
 *   how: string,
 * }
 * @phpstan-type ImportFormat array<string, mixed>|'json'|'parquet'
 * @phpstan-type ImportMapping array{
 *   columns?: array<string, list<string>>,
 *   date_order?: DateOrder|null,
 *   header?: list<string>,
 *   no_customer?: list<string>,
 *   order_by?: OrderBy|null,
 *   preset?: string|null,
 *   timezone?: string|null,
 * }
 * @phpstan-type ImportMode 'append'|'replace'
 * @phpstan-type ImportPreview array{
 *   columns: list<ImportColumn>,
 *   fields: list<ImportField>,
 *   first_ms?: int|null,
 *   first_products: list<array<string, mixed>>,
 *   first_rows: list<ImportRow>,
 *   ignored_columns: list<string>,
 *   last_ms?: int|null,
 *   lines: int,
 *   lines_without_customer: int,
 *   mapping?: string|null,
 *   notes: list<string>,
 *   order_by?: OrderBy|null,
 *   other_events: array<string, int>,
 *   problem?: string|null,
 *   problems: list<string>,
 *   products: int,
 *   reasons: list<ImportReason>,
 *   rejected: int,
 *   rows: int,
 *   service_codes: list<ImportServiceCode>,
 *   sources: list<ImportSource>,
 *   stock_corrections: int,
 *   timezone?: string|null,
 * }
 * @phpstan-type ImportProgress array{
 *   done: int,
 *   per_second?: int|float|null,
 *   rows?: int|null,
 *   seconds_left?: int|null,
 *   step: string,
 *   total?: int|null,
 * }
 * @phpstan-type ImportReason array{
 *   example: string,
 *   reason: string,
 *   rows: int,
 * }
 * @phpstan-type ImportResult array{
 *   assembled?: ImportReturns|null,
 *   baskets: int,
 *   events: int,
 *   hidden?: int|null,
 *   lines: int,
 *   orders: int,
 *   problems: list<string>,
 *   products: int,
 *   rejected: int,
 *   unchanged: bool,
 *   users: int,
 * }
 * @phpstan-type ImportReturns array{
 *   guests: int,
 *   orders_undone: int,
 *   returns: int,
 *   returns_netted: int,
 *   returns_unmatched: int,
 * }
 * @phpstan-type ImportRow array{
 *   anonymous_id?: string|null,
 *   at_ms: int,
 *   event: string,
 *   id: string,
 *   line: int,
 *   price?: int|float|null,
 *   product_id: string,
 *   product_name: string,
 *   quantity: int,
 *   query: string,
 *   user_id?: string|null,
 * }
 * @phpstan-type ImportServiceCode array{
 *   lines: int,
 *   name: string,
 *   product_id: string,
 * }
 * @phpstan-type ImportSource array{
 *   format: ImportFormat,
 *   name: string,
 * }
 * @phpstan-type ImportState 'uploading'|'reading'|'ready'|'importing'|'done'|'failed'
 * @phpstan-type Item array{
 *   price?: int|float|null,
 *   product_id: Id,
 *   quantity?: int|null,
 * }
 * @phpstan-type Lake array{
 *   feature_sets: list<FeatureSetView>,
 *   job?: LakeJob|null,
 *   rejects?: Rejects|null,
 *   tables: list<LakeTable>,
 * }
 * @phpstan-type LakeColumn array{
 *   name: string,
 *   nullable: bool,
 *   type: string,
 * }
 * @phpstan-type LakeFile array{
 *   bytes: int,
 *   path: string,
 *   rows: int,
 *   written_ms: int,
 * }
 * @phpstan-type LakeJob array{
 *   done: int,
 *   ended_ms?: int|null,
 *   kind: LakeJobKind,
 *   message?: string|null,
 *   started_ms: int,
 *   state: LakeJobState,
 *   total?: int|null,
 *   what: string,
 * }
 * @phpstan-type LakeJobKind 'import'|'generate'
 * @phpstan-type LakeJobState 'running'|'done'|'failed'
 * @phpstan-type LakeSample array{
 *   columns: list<string>,
 *   rows: list<list<string|null>>,
 * }
 * @phpstan-type LakeTable array{
 *   bytes: int,
 *   files: int,
 *   name: string,
 *   newest_ms?: int|null,
 *   rows: int,
 *   unreadable: int,
 * }
 * @phpstan-type LakeTableDetail array{
 *   bytes: int,
 *   files: int,
 *   name: string,
 *   newest_ms?: int|null,
 *   rows: int,
 *   unreadable: int,
 *   columns: list<LakeColumn>,
 *   newest_files: list<LakeFile>,
 *   sample: LakeSample,
 * }
 * @phpstan-type LastLakeJob array{
 *   job?: LakeJob|null,
 * }
 * @phpstan-type LearningCurve array{
 *   metric: string,
 *   train: list<int|float>,
 *   valid: list<int|float>,
 * }
 * @phpstan-type LineError array{
 *   error: Problem,
 *   line: int,
 * }
 * @phpstan-type ListRequest array{
 *   filter?: string|null,
 *   limit?: int|null,
 *   name: string,
 *   product_id?: Id|null,
 *   products?: list<Id>|null,
 * }
 * @phpstan-type Live array{
 *   degraded_total: int,
 *   delivery: LiveDelivery,
 *   events: list<LiveEvent>,
 *   events_total: int,
 *   impressions_dropped_total: int,
 *   minutes: list<LiveTraffic>,
 *   model_version?: string|null,
 *   now_ms: int,
 *   products: int,
 *   ready: bool,
 *   recommend_ms?: Percentiles|null,
 *   release?: string|null,
 *   run?: LiveRun|null,
 *   seconds: list<LiveTraffic>,
 *   sessions: LiveSessions,
 *   shards: int,
 *   submit_ms?: Percentiles|null,
 *   sync_ms?: Percentiles|null,
 *   users: int,
 * }
 * @phpstan-type LiveDelivery array{
 *   error?: string|null,
 *   files: int,
 *   last_file?: string|null,
 *   last_ms?: int|null,
 *   oldest_ms?: int|null,
 *   waiting: int,
 * }
 * @phpstan-type LiveEvent array{
 *   event: string,
 *   event_id: string,
 *   feature_set?: string|null,
 *   file?: string|null,
 *   model_version?: string|null,
 *   product_ids: list<string>,
 *   received_at_ms: int,
 *   record_id?: string|null,
 *   stage: EventStage,
 *   sync_ms?: int|float|null,
 *   user_id: string,
 * }
 * @phpstan-type LiveRun array{
 *   current: list<string>,
 *   name: string,
 * }
 * @phpstan-type LiveSessions array{
 *   waiting: int,
 * }
 * @phpstan-type LiveTraffic array{
 *   at_ms: int,
 *   errors: int,
 *   events: int,
 *   recommendations: int,
 *   requests: int,
 * }
 * @phpstan-type Log array{
 *   lines: list<LogLine>,
 * }
 * @phpstan-type LogLine array{
 *   at_ms: int,
 *   state: string,
 *   text: string,
 * }
 * @phpstan-type Mean array{
 *   mean: int|float,
 *   se: int|float,
 * }
 * @phpstan-type MergeRequest array{
 *   anonymous_id: Id,
 * }
 * @phpstan-type Merged array{
 *   event_id: string,
 *   record_id: string,
 *   user_id: string,
 * }
 * @phpstan-type MessageId string|int
 * @phpstan-type Method array{
 *   model_lead?: Paired|null,
 *   name: string,
 *   ndcg_at_10: Mean,
 *   ndcg_at_20: Mean,
 *   phr_at_10: Mean,
 *   phr_at_20: Mean,
 *   recall_at_10: Mean,
 *   recall_at_20: Mean,
 *   slices?: Slices|null,
 * }
 * @phpstan-type Model array{
 *   created_ms: int,
 *   evaluation?: ModelEvaluation|null,
 *   feature_set: string,
 *   model_sha256: string,
 *   parameters: array<string, string>,
 *   schema_hash: string,
 *   status: ModelStatus,
 *   verdict: string,
 *   version: string,
 * }
 * @phpstan-type ModelDetail array{
 *   created_ms: int,
 *   evaluation?: ModelEvaluation|null,
 *   feature_set: string,
 *   model_sha256: string,
 *   parameters: array<string, string>,
 *   schema_hash: string,
 *   status: ModelStatus,
 *   verdict: string,
 *   version: string,
 *   importance: list<FeatureImportance>,
 *   learning: list<LearningCurve>,
 *   trees: int,
 * }
 * @phpstan-type ModelEvaluation array{
 *   decided_ms: int,
 *   passed: bool,
 *   report?: Report|null,
 *   run: string,
 *   search?: SearchRecord|null,
 *   sources?: SourceSearch|null,
 *   verdict?: Verdict|null,
 * }
 * @phpstan-type ModelStatus 'candidate'|'serving'|'challenger'|'previous'|'retired'|'rejected'
 * @phpstan-type Models array{
 *   models: list<Model>,
 * }
 * @phpstan-type MovedBy array{
 *   from: int,
 *   rule: string,
 *   to: int,
 * }
 * @phpstan-type NamedProduct array{
 *   added: int,
 *   bought: int,
 *   revenue: int|float,
 *   sent: int,
 *   shown: int,
 *   viewed: int,
 *   product_id: string,
 *   product_name: string,
 * }
 * @phpstan-type NamedProducts array{
 *   from: string,
 *   one_in: int,
 *   products: list<NamedProduct>,
 *   to: string,
 * }
 * @phpstan-type OfferedProduct array{
 *   aisle: string,
 *   department: string,
 *   product_id: string,
 *   product_name: string,
 *   currency?: string|null,
 *   image_url?: string|null,
 *   in_stock: bool,
 *   list_price?: string|null,
 *   price?: string|null,
 *   shown: bool,
 * }
 * @phpstan-type Order array{
 *   items: list<OfferedProduct>,
 *   order_id: string,
 *   ordered_at_ms: int,
 * }
 * @phpstan-type OrderBy 'day'|'time'
 * @phpstan-type OrderHistory array{
 *   last_order_ms?: int|null,
 *   orders: int,
 *   products: list<BoughtBefore>,
 * }
 * @phpstan-type Orders array{
 *   history?: OrderHistory|null,
 *   orders: list<Order>,
 *   user_id: string,
 * }
 * @phpstan-type Outcome 'released'|'provisional'|'rejected'|'untrained'
 * @phpstan-type PageAnswer array{
 *   degraded: bool,
 *   model_version: string,
 *   placements: list<PlacementList>,
 *   release: string,
 * }
 * @phpstan-type PageRequest array{
 *   anonymous_id?: Id|null,
 *   cart?: list<Id>|null,
 *   context?: array<string, mixed>|null,
 *   page?: string|null,
 *   placements: list<ListRequest>,
 *   product_id?: Id|null,
 *   user_id?: Id|null,
 * }
 * @phpstan-type Paired array{
 *   mean: int|float,
 *   p_value: int|float,
 *   se: int|float,
 * }
 * @phpstan-type ParameterSearch array{
 *   chosen: int|float,
 *   name: string,
 *   outcome: string,
 *   source: string,
 *   trials: list<ParameterTrial>,
 * }
 * @phpstan-type ParameterTrial array{
 *   scores: list<int|float>,
 *   value: int|float,
 * }
 * @phpstan-type Percentiles array{
 *   p50: int|float,
 *   p99: int|float,
 * }
 * @phpstan-type PlacedProduct array{
 *   aisle: string,
 *   currency?: string|null,
 *   department: string,
 *   due_at?: string|null,
 *   due_earliest?: string|null,
 *   due_latest?: string|null,
 *   explanation?: Explanation|null,
 *   image_url?: string|null,
 *   in_stock?: bool|null,
 *   list_price?: string|null,
 *   moved_by?: MovedBy|null,
 *   price?: string|null,
 *   probability: int|float,
 *   product_id: string,
 *   product_name: string,
 *   propensity?: int|float|null,
 *   reasons: list<string>,
 *   url?: string|null,
 *   kind: PlacementKind,
 * }
 * @phpstan-type Placement array{
 *   diversity?: PlacementDiversity,
 *   explore?: PlacementExploration,
 *   fallback?: list<string>,
 *   filter?: string|null,
 *   kind: PlacementKind,
 *   limit?: int,
 * }
 * @phpstan-type PlacementAnswer array{
 *   placement: string,
 *   recommendation_id: string,
 *   recommendations: list<PlacedProduct>,
 *   degraded: bool,
 *   model_version: string,
 *   release: string,
 * }
 * @phpstan-type PlacementDiversity array{
 *   calibration?: int|float,
 *   variety?: int|float,
 * }
 * @phpstan-type PlacementExploration array{
 *   slots: int,
 * }
 * @phpstan-type PlacementKind 'for_you'|'cart'|'bought_together'|'substitutes'|'also_viewed'|'trending'|'popular'|'new'|'buy_again'|'recently_viewed'|'rank'
 * @phpstan-type PlacementList array{
 *   placement: string,
 *   recommendation_id: string,
 *   recommendations: list<PlacedProduct>,
 * }
 * @phpstan-type PlacementRequest array{
 *   anonymous_id?: Id|null,
 *   cart?: list<Id>|null,
 *   context?: array<string, mixed>|null,
 *   filter?: string|null,
 *   limit?: int|null,
 *   page?: string|null,
 *   product_id?: Id|null,
 *   products?: list<Id>|null,
 *   user_id?: Id|null,
 * }
 * @phpstan-type PlacementsDocument array{
 *   placements: array<string, Placement>,
 * }
 * @phpstan-type PlacementsView array{
 *   by?: string|null,
 *   changed_at_ms?: int|null,
 *   placements: array<string, Placement>,
 *   version: int,
 * }
 * @phpstan-type Preview array{
 *   after: list<PlacedProduct>,
 *   before: list<PlacedProduct>,
 *   conflicts: list<RuleConflict>,
 *   degraded: bool,
 * }
 * @phpstan-type PreviewRequest array{
 *   anonymous_id?: Id|null,
 *   cart?: list<Id>|null,
 *   context?: array<string, mixed>|null,
 *   product_id?: Id|null,
 *   products?: list<Id>|null,
 *   rules: list<Rule>,
 *   user_id?: Id|null,
 * }
 * @phpstan-type PriceRange array{
 *   count: int,
 *   max_price: string,
 *   min_price: string,
 * }
 * @phpstan-type Problem array{
 *   detail: string,
 *   expected?: string|null,
 *   field?: string|null,
 *   position?: int|null,
 *   status: int,
 *   title: string,
 *   type: string,
 * }
 * @phpstan-type Product array{
 *   aisle: string,
 *   brand?: string|null,
 *   currency?: string|null,
 *   department: string,
 *   image_url?: string|null,
 *   in_stock: bool,
 *   list_price?: string|null,
 *   orders: int,
 *   price?: string|null,
 *   product_id: string,
 *   product_name: string,
 *   shown: bool,
 *   url?: string|null,
 * }
 * @phpstan-type ProductBatch array{
 *   failed_count: int,
 *   hidden_count?: int|null,
 *   products: list<ProductResult>,
 * }
 * @phpstan-type ProductFunnel array{
 *   added: int,
 *   bought: int,
 *   revenue: int|float,
 *   sent: int,
 *   shown: int,
 *   viewed: int,
 *   product_id: string,
 * }
 * @phpstan-type ProductLabel array{
 *   aisle: string,
 *   department: string,
 *   product_id: string,
 *   product_name: string,
 * }
 * @phpstan-type ProductOutcome 'created'|'updated'|'unchanged'
 * @phpstan-type ProductQuality array{
 *   days: list<DayQuality>,
 *   from: string,
 *   one_in: int,
 *   placements: list<QualityPart>,
 *   product_id: string,
 *   sources: list<QualityPart>,
 *   to: string,
 *   total: Funnel,
 * }
 * @phpstan-type ProductResult array{
 *   error?: Problem|null,
 *   etag?: string|null,
 *   outcome?: ProductOutcome|null,
 *   product_id?: string|null,
 * }
 * @phpstan-type ProductSeen array{
 *   at_ms: int,
 *   product: ProductLabel,
 * }
 * @phpstan-type Products array{
 *   next_cursor?: string|null,
 *   products: list<Product>,
 *   total: int,
 * }
 * @phpstan-type Quality array{
 *   answers: int,
 *   days: list<DayQuality>,
 *   exploration: ExplorationQuality,
 *   from: string,
 *   models: list<QualityPart>,
 *   one_in: int,
 *   placements: list<QualityPart>,
 *   positions: list<Funnel>,
 *   rules: list<QualityPart>,
 *   sources: list<QualityPart>,
 *   to: string,
 *   total: Funnel,
 *   window_hours: int,
 * }
 * @phpstan-type QualityPart array{
 *   added: int,
 *   bought: int,
 *   revenue: int|float,
 *   sent: int,
 *   shown: int,
 *   viewed: int,
 *   answers?: int|null,
 *   name: string,
 *   positions?: list<Funnel>,
 * }
 * @phpstan-type QueryCount array{
 *   followed: int,
 *   query: string,
 *   searches: int,
 *   shoppers: int,
 * }
 * @phpstan-type RankRequest array{
 *   anonymous_id?: Id|null,
 *   cart?: list<Id>|null,
 *   context?: array<string, mixed>|null,
 *   filter?: string|null,
 *   limit?: int|null,
 *   products: list<Id>,
 *   user_id?: Id|null,
 * }
 * @phpstan-type Ranked array{
 *   recommendations: list<Recommendation>,
 * }
 * @phpstan-type RankedProduct array{
 *   probability: int|float,
 *   product_id: string,
 * }
 * @phpstan-type Ranking array{
 *   degraded: bool,
 *   model_version: string,
 *   products: list<RankedProduct>,
 *   recommendation_id: string,
 *   release: string,
 *   unranked: list<Unranked>,
 * }
 * @phpstan-type Readiness array{
 *   degraded: bool,
 *   engine?: EngineStatus|null,
 *   operated_by?: string|null,
 *   ready: bool,
 *   sessions?: bool|null,
 *   stream?: string|null,
 *   tasks?: list<Task>|null,
 * }
 * @phpstan-type Recommendation array{
 *   aisle: string,
 *   currency?: string|null,
 *   department: string,
 *   due_at?: string|null,
 *   due_earliest?: string|null,
 *   due_latest?: string|null,
 *   explanation?: Explanation|null,
 *   image_url?: string|null,
 *   in_stock?: bool|null,
 *   list_price?: string|null,
 *   moved_by?: MovedBy|null,
 *   price?: string|null,
 *   probability: int|float,
 *   product_id: string,
 *   product_name: string,
 *   propensity?: int|float|null,
 *   reasons: list<string>,
 *   url?: string|null,
 * }
 * @phpstan-type RecommendationRequest array{
 *   anonymous_id?: Id|null,
 *   cart?: list<Id>|null,
 *   context?: array<string, mixed>|null,
 *   explain?: bool,
 *   filter?: string|null,
 *   filters?: Filters|null,
 *   limit?: int|null,
 *   user_id?: Id|null,
 * }
 * @phpstan-type Recommendations array{
 *   candidates?: list<SourceCount>|null,
 *   degraded: bool,
 *   model_version: string,
 *   recommendation_id: string,
 *   recommendations: list<Recommendation>,
 *   release: string,
 * }
 * @phpstan-type Reject array{
 *   file: string,
 *   line: string,
 *   reason: string,
 *   row: string,
 * }
 * @phpstan-type Rejects array{
 *   file: string,
 *   rows: int,
 *   sample: list<Reject>,
 * }
 * @phpstan-type Release array{
 *   feature_set: string,
 *   model?: string|null,
 *   schema_hash: string,
 * }
 * @phpstan-type Replay array{
 *   answered_at_ms: int,
 *   missing: list<string>,
 *   outcome: ReplayOutcome,
 *   placement?: string|null,
 *   places: list<ReplayedPlace>,
 *   recommendation_id: string,
 *   release: string,
 *   user_id?: string|null,
 * }
 * @phpstan-type ReplayOutcome 'same'|'different'|'incomplete'|'erased'
 * @phpstan-type ReplayedPlace array{
 *   again?: AnsweredProduct|null,
 *   explanation?: Explanation|null,
 *   given?: AnsweredProduct|null,
 *   is_same: bool,
 *   place: int,
 *   product_name?: string|null,
 * }
 * @phpstan-type Report array{
 *   calibration?: list<CalibrationBin>,
 *   calibration_error: int|float,
 *   candidate_recall: Mean,
 *   comparison: Comparison,
 *   due_dates?: DueDates|null,
 *   event?: string,
 *   feature_set: string,
 *   folds?: int,
 *   half_cart_recall_at_10: Mean,
 *   label?: string,
 *   log_loss: int|float,
 *   methods: list<Method>,
 *   model?: string|null,
 *   questions?: int,
 *   since_ms?: int|null,
 *   users: int,
 * }
 * @phpstan-type Rule array{
 *   action: RuleAction,
 *   active?: bool,
 *   id: string,
 *   name?: string,
 *   priority?: int,
 *   products?: RuleProducts|null,
 *   scope?: RuleScope,
 * }
 * @phpstan-type RuleAction array<string, mixed>
 * @phpstan-type RuleConflict array{
 *   kind: ConflictKind,
 *   reason: string,
 *   rules: list<string>,
 *   wins?: string|null,
 * }
 * @phpstan-type RulePer 'department'|'aisle'|'brand'
 * @phpstan-type RuleProducts array<string, mixed>
 * @phpstan-type RuleScope array{
 *   category?: string|null,
 *   from?: string|null,
 *   placements?: list<string>,
 *   segment?: string|null,
 *   until?: string|null,
 *   weekdays?: list<Weekday>,
 * }
 * @phpstan-type RulesView array{
 *   by?: string|null,
 *   changed_at_ms?: int|null,
 *   conflicts: list<RuleConflict>,
 *   rules: list<Rule>,
 *   version: int,
 * }
 * @phpstan-type Run array{
 *   current: list<string>,
 *   error?: string|null,
 *   machine: string,
 *   name: string,
 *   started_ms: int,
 *   status: string,
 *   stopped_ms?: int|null,
 *   cause?: string|null,
 *   definition: mixed,
 *   history: list<HistoryEntry>,
 *   input: mixed,
 *   output?: mixed,
 *   progress: array<string, StateProgress>,
 * }
 * @phpstan-type RunSummary array{
 *   current: list<string>,
 *   error?: string|null,
 *   machine: string,
 *   name: string,
 *   started_ms: int,
 *   status: string,
 *   stopped_ms?: int|null,
 * }
 * @phpstan-type SearchMode 'off'|'quick'|'full'
 * @phpstan-type SearchQueries array{
 *   min_shoppers: int,
 *   queries: list<SearchedQuery>,
 *   searches: int,
 *   since_ms: int,
 *   unnamed: int,
 *   without_products: list<SearchedQuery>,
 * }
 * @phpstan-type SearchRecord array{
 *   chosen?: int|null,
 *   mode: SearchMode,
 *   outcome: string,
 *   rounds: list<int>,
 *   trials: list<Trial>,
 * }
 * @phpstan-type SearchResults array{
 *   corrected_query?: string|null,
 *   did_you_mean: list<Suggestion>,
 *   facets: Facets,
 *   next_cursor?: string|null,
 *   products: list<Product>,
 *   total: int,
 * }
 * @phpstan-type SearchSeen array{
 *   at_ms: int,
 *   query: string,
 * }
 * @phpstan-type SearchedQuery array{
 *   followed: int,
 *   query: string,
 *   searches: int,
 *   shoppers: int,
 *   corrected_query?: string|null,
 *   products: int,
 * }
 * @phpstan-type SegmentBatch array{
 *   batch: list<SegmentCall>,
 * }
 * @phpstan-type SegmentCall array{
 *   anonymousId?: Id|null,
 *   event?: string|null,
 *   messageId?: string|null,
 *   properties?: array<string, mixed>|null,
 *   timestamp?: string|null,
 *   type?: string|null,
 *   userId?: Id|null,
 * }
 * @phpstan-type SegmentRequest SegmentBatch|SegmentCall
 * @phpstan-type SessionView array{
 *   cart: list<CartItem>,
 *   cart_changes: list<CartChangeSeen>,
 *   checkouts: list<CheckoutSeen>,
 *   events: int,
 *   searches: list<SearchSeen>,
 *   updated_ms: int,
 *   views: list<ProductSeen>,
 * }
 * @phpstan-type Slice array{
 *   mean: int|float,
 *   se: int|float,
 *   users: int,
 * }
 * @phpstan-type Slices array{
 *   coverage: int|float,
 *   expl_recall_at_10: Slice,
 *   expl_recall_at_20: Slice,
 *   few_orders_recall_at_10: Slice,
 *   guest_recall_at_10: Slice,
 *   intra_list_distance?: int|float,
 *   long_tail: int|float,
 *   new_product_recall_at_10: Slice,
 *   novelty: int|float,
 *   rep_recall_at_10: Slice,
 *   rep_recall_at_20: Slice,
 * }
 * @phpstan-type SourceCount array{
 *   candidates: int,
 *   source: string,
 * }
 * @phpstan-type SourceSearch array{
 *   mode: SearchMode,
 *   outcome: string,
 *   parameters: list<ParameterSearch>,
 *   questions: list<int>,
 * }
 * @phpstan-type StartFileImport array{
 *   confirm?: bool,
 *   max_rejects?: int|float|null,
 *   mode?: ImportMode|null,
 * }
 * @phpstan-type StartLakeJob array<string, mixed>
 * @phpstan-type StartRun array{
 *   hyperparameters?: array<string, string>,
 *   name?: string|null,
 * }
 * @phpstan-type Started array{
 *   name: string,
 * }
 * @phpstan-type StateProgress array{
 *   done: int,
 *   total?: int|null,
 *   what: string,
 * }
 * @phpstan-type StoredPiece array{
 *   accepted: int,
 *   errors?: list<LineError>,
 *   rejected: int,
 *   repeated: int,
 *   through_line: int,
 *   warnings?: list<string>,
 * }
 * @phpstan-type StoredRule array{
 *   conflicts: list<RuleConflict>,
 *   rule: Rule,
 *   version: int,
 * }
 * @phpstan-type StreamEnd array{
 *   accepted: int,
 *   done: bool,
 *   problem?: Problem|null,
 *   rejected: int,
 *   repeated: int,
 *   through_line: int,
 * }
 * @phpstan-type StreamLine StoredPiece|StreamEnd
 * @phpstan-type Submitted array{
 *   degraded: bool,
 *   event_id: string,
 *   message: string,
 *   model_version: string,
 *   recommendation_id: string,
 *   recommendations: list<Recommendation>,
 *   record_id?: string|null,
 *   shard_id?: string|null,
 *   warnings?: list<string>,
 * }
 * @phpstan-type Suggestion array{
 *   query: string,
 *   total: int,
 * }
 * @phpstan-type SynonymGroups array{
 *   groups: list<string>,
 * }
 * @phpstan-type SynonymsView array{
 *   by?: string|null,
 *   changed_at_ms?: int|null,
 *   groups: list<string>,
 *   version: int,
 * }
 * @phpstan-type Task array{
 *   failures: int,
 *   name: string,
 *   state: TaskState,
 * }
 * @phpstan-type TaskState 'running'|'restarting'|'failed'
 * @phpstan-type Trial array{
 *   error?: string|null,
 *   hyperparameters: array<string, string>,
 *   losses: list<int|float>,
 *   number: int,
 * }
 * @phpstan-type UndoRequest array{
 *   version?: int|null,
 * }
 * @phpstan-type UnknownProductView array{
 *   events: int,
 *   last_ms?: int|null,
 *   orders: int,
 *   product_id: string,
 * }
 * @phpstan-type UnknownProducts array{
 *   products: list<UnknownProductView>,
 *   total: int,
 * }
 * @phpstan-type Unranked array{
 *   product_id: string,
 *   reason: UnrankedReason,
 * }
 * @phpstan-type UnrankedReason 'unknown'|'not_shown'|'filtered'
 * @phpstan-type UserDetail array{
 *   feature_set: string,
 *   record?: UserRecord|null,
 *   session?: SessionView|null,
 *   user_id: string,
 * }
 * @phpstan-type UserExport array{
 *   exported_at_ms: int,
 *   record?: UserRecord|null,
 *   session?: SessionView|null,
 *   stored: array<string, mixed>,
 *   user_id: string,
 * }
 * @phpstan-type UserRecord array{
 *   bought: list<BoughtProduct>,
 *   last_order_ms?: int|null,
 *   lines: int,
 *   mean_days_since_prior: int|float,
 *   orders: int,
 *   products: int,
 *   reorder_ratio: int|float,
 * }
 * @phpstan-type UserSummary array{
 *   favourites: list<string>,
 *   mean_days?: int|float|null,
 *   orders: int,
 *   products: int,
 *   user_id: string,
 * }
 * @phpstan-type Users array{
 *   users: list<UserSummary>,
 * }
 * @phpstan-type ValueShare array{
 *   by: string,
 *   is_known: bool,
 * }
 * @phpstan-type Verdict array{
 *   advice?: string|null,
 *   figures: Figures,
 *   outcome: Outcome,
 *   reason: string,
 * }
 * @phpstan-type WebhookAnswer array{
 *   error?: Problem|null,
 *   outcome: WebhookOutcome,
 * }
 * @phpstan-type WebhookOutcome 'stored'|'ignored'|'refused'
 * @phpstan-type Weekday 'monday'|'tuesday'|'wednesday'|'thursday'|'friday'|'saturday'|'sunday'
 */
interface Schema {}
