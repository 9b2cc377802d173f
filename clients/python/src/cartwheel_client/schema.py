"""The shapes of the API. Made by clients/generate.py from webapp/openapi.json."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict


class Aisle(TypedDict):
    """An aisle."""

    aisle: str
    products: int


class AnsweredProduct(TypedDict):
    """A product of an answer."""

    probability: float
    product_id: str
    rule: NotRequired[str | None]
    source: str


class AssistantMessage(TypedDict):
    """A message of JSON-RPC, as the Model Context Protocol describes it."""

    id: NotRequired[MessageId | None]
    jsonrpc: str
    method: str
    params: NotRequired[dict[str, Any] | None]


class BatchAnswer(TypedDict):
    """One result per event, in the order of the events."""

    failed_count: int
    ignored_count: int
    records: list[EventResult]


class Beacon(TypedDict):
    """Events with the credential of their page."""

    events: list[Event]
    key: NotRequired[str | None]


class BoughtBefore(TypedDict):
    """A product that the shopper has bought before."""

    aisle: str
    department: str
    product_id: str
    product_name: str
    currency: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: bool
    list_price: NotRequired[str | None]
    price: NotRequired[str | None]
    shown: bool
    orders: int


class BoughtProduct(TypedDict):
    """A product that a user has bought."""

    aisle: str
    department: str
    product_id: str
    product_name: str
    last_order_number: int
    mean_position: float
    orders: int


class CalibrationBin(TypedDict):
    """Predictions with similar probabilities."""

    observed: float
    predicted: float
    rows: int


class Cart(TypedDict):
    """A shopper's cart."""

    items: list[CartItem]
    user_id: str
    viewed: list[ProductLabel]


class CartChangeSeen(TypedDict):
    """A product that was put into the cart or taken out of it."""

    at_ms: int
    is_added: bool
    product: ProductLabel


class CartItem(TypedDict):
    """A product in a cart."""

    aisle: str
    department: str
    product_id: str
    product_name: str
    currency: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: bool
    list_price: NotRequired[str | None]
    price: NotRequired[str | None]
    shown: bool
    quantity: int


class CatalogueEntry(TypedDict):
    """A product as the shop keeps it."""

    aisle: str
    brand: NotRequired[str | None]
    currency: NotRequired[str | None]
    department: str
    image_url: NotRequired[str | None]
    in_stock: bool
    list_price: NotRequired[str | None]
    orders: int
    price: NotRequired[str | None]
    product_id: str
    product_name: str
    shown: bool
    url: NotRequired[str | None]
    changed_at_ms: NotRequired[int | None]
    etag: NotRequired[str | None]
    product: NotRequired[CatalogueProduct | None]


class CataloguePage(TypedDict):
    """A page of the catalogue."""

    next_cursor: NotRequired[str | None]
    products: list[CatalogueEntry]
    total: int


class CatalogueProduct(TypedDict):
    """A product of the shop. Only the id is required. The largest values are in [`crate::MAX_NAME`] and its siblings."""

    attributes: NotRequired[dict[str, Attribute]]
    available_from: NotRequired[str | None]
    available_until: NotRequired[str | None]
    brand: NotRequired[str | None]
    categories: NotRequired[list[str]]
    cost: NotRequired[str | None]
    created_at: NotRequired[str | None]
    currency: NotRequired[str | None]
    description: NotRequired[str | None]
    hidden: NotRequired[bool]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool | None]
    list_price: NotRequired[str | None]
    name: NotRequired[str | None]
    price: NotRequired[str | None]
    product_id: str
    stock: NotRequired[int | None]
    tags: NotRequired[list[str]]
    url: NotRequired[str | None]


class CheckoutSeen(TypedDict):
    """A purchase of the session."""

    event_id: str
    items: list[ProductLabel]
    received_at_ms: int


ClientIntegrations = TypedDict('ClientIntegrations', {
    'Segment.io': 'ClientTarget',
})


class ClientMetrics(TypedDict):
    """The client's measurements of itself."""

    sampleRate: int


class ClientSettings(TypedDict):
    """The settings that Segment's browser client loads for a write key."""

    integrations: ClientIntegrations
    metrics: ClientMetrics


class ClientTarget(TypedDict):
    """Where the client sends its calls."""

    apiHost: str
    apiKey: str
    protocol: str


class Comparison(TypedDict):
    """Recall@10 of the model minus the reference's, question by question."""

    difference: Mean
    p_value: NotRequired[float | None]
    recall_at_10: NotRequired[Mean | None]
    reference: str
    serving: bool


class DayQuality(TypedDict):
    """What followed from the recommendations of one day."""

    added: int
    bought: int
    revenue: float
    sent: int
    shown: int
    viewed: int
    day: str


class Department(TypedDict):
    """A department."""

    aisles: list[Aisle]
    department: str
    products: int


class Departments(TypedDict):
    """Departments."""

    departments: list[Department]


class DocumentHistory(TypedDict):
    """The versions of a document."""

    versions: list[DocumentVersion]


class DocumentVersion(TypedDict):
    """A version of a document."""

    by: str
    changed: NotRequired[list[str] | None]
    changed_at_ms: int
    version: int


class DueDates(TypedDict):
    """Dates at which users were expected to buy products again, against those at which they did: over the products of held-out orders that the user had bought before."""

    all: DueSlice
    interval: float
    last_gap_error_days: float
    mean_gap_error_days: float
    repeated: DueSlice
    slices: list[DueSlice]
    within: Mean


DueSlice = TypedDict('DueSlice', {
    'error_days': 'float',
    'from': 'int',
    'purchases': 'int',
    'width_days': 'float',
    'within': 'float',
})


class EarlierImports(TypedDict):
    """Data that was imported before."""

    events: int
    imports: int
    orders: int


class EngineStatus(TypedDict):
    """The state of an engine."""

    degraded: bool
    model_version: NotRequired[str | None]
    products: int
    ready: bool
    release: NotRequired[str | None]
    users: int


class ErasureView(TypedDict):
    """An erasure in progress."""

    erased_at_ms: int
    step: ErasureStep
    unreadable: list[str]
    user_id: str


class ErasuresView(TypedDict):
    """Erasures in progress."""

    erasures: list[ErasureView]


class Event(TypedDict):
    """A shopper's action."""

    anonymous_id: NotRequired[Id | None]
    country: NotRequired[str | None]
    event: EventName
    event_id: NotRequired[Id | None]
    items: NotRequired[list[Item] | None]
    product_ids: NotRequired[list[Id] | None]
    query: NotRequired[str | None]
    recommendation_id: NotRequired[Id | None]
    session_id: NotRequired[Id | None]
    source: NotRequired[Id | None]
    timestamp: NotRequired[int | None]
    user_id: NotRequired[Id | None]


class EventResult(TypedDict):
    """The result of an event: ids, a problem, or `ignored`."""

    error: NotRequired[Problem | None]
    event_id: NotRequired[str | None]
    ignored: NotRequired[bool | None]
    record_id: NotRequired[str | None]
    shard_id: NotRequired[str | None]
    warnings: NotRequired[list[str]]


class Executions(TypedDict):
    """Runs."""

    damaged: list[str]
    executions: list[RunSummary]


class Explanation(TypedDict):
    """The numbers behind a recommendation."""

    base: NotRequired[float | None]
    features: list[FeatureContribution]
    source: str
    value: NotRequired[ValueShare | None]


class ExplorationQuality(TypedDict):
    """What exploration cost in a period, and what it has learned so far."""

    compared: int
    explored: Funnel
    lost_revenue: float
    lost_views: float
    others: Funnel
    products: list[ExploredProduct]


class ExploredProduct(TypedDict):
    """What exploration has learned about a product."""

    clicks: int
    high: float
    low: float
    mean: float
    product_id: str
    product_name: str
    trials: int


class Facet(TypedDict):
    """A value of a facet."""

    count: int
    name: str


class Facets(TypedDict):
    """Counts of what a search finds. Each facet counts the products that pass all filters but its own, so that it shows what another choice would give."""

    aisles: list[Facet]
    brands: list[Facet]
    departments: list[Facet]
    in_stock: int
    prices: list[PriceRange]


class FeatureContribution(TypedDict):
    """The contribution of one feature (SHAP: Lundberg et al., Nature Machine Intelligence 2020)."""

    contribution: float
    label: str
    name: str
    subject: str
    unit: str
    value: NotRequired[float | None]


class FeatureImportance(TypedDict):
    """The importance of a feature in a model."""

    feature: str
    gain: float
    splits: int


class FeatureSetView(TypedDict):
    """A feature set."""

    created_ms: int
    gate_examples: int
    lines: int
    orders: int
    products: int
    serving: bool
    train_rows: int
    users: int
    valid_rows: int
    version: str


class Figures(TypedDict):
    """The figures behind a decision."""

    difference: NotRequired[Mean | None]
    folds: NotRequired[int]
    gate_users: NotRequired[int]
    margin: NotRequired[float]
    min_users: NotRequired[int]
    recall_at_10: NotRequired[Mean | None]
    reference: NotRequired[str | None]
    reference_recall_at_10: NotRequired[Mean | None]
    strongest_baseline: NotRequired[str | None]
    strongest_difference: NotRequired[Paired | None]
    users: NotRequired[int]


class FileImport(TypedDict):
    """An import of an uploaded file."""

    bytes: int
    changed_ms: int
    error: NotRequired[str | None]
    fields: list[str]
    import_id: str
    kind: ImportContent
    mapping: ImportMapping
    name: str
    preview: NotRequired[ImportPreview | None]
    progress: NotRequired[ImportProgress | None]
    result: NotRequired[ImportResult | None]
    state: ImportState


FileImports = TypedDict('FileImports', {
    'earlier': 'EarlierImports',
    'import': 'NotRequired[FileImport | None]',
    'max_upload_bytes': 'int',
    'presets': 'list[str]',
})


class Filters(TypedDict):
    """Restrictions on an answer. An empty list restricts nothing."""

    aisles: NotRequired[list[str]]
    departments: NotRequired[list[str]]
    exclude_products: NotRequired[list[Id]]
    exclude_purchased: NotRequired[bool]
    in_stock_only: NotRequired[bool]


class Funnel(TypedDict):
    """What followed from recommended products. An event counts if it carries the answer's recommendation_id and the product, within the window after the answer. A purchase counts if it does so itself, or if it follows such an addition to the cart: once, for the newest of them."""

    added: int
    bought: int
    revenue: float
    sent: int
    shown: int
    viewed: int


class Ga4Event(TypedDict):
    """A GA4 event. Names other than `view_item`, `add_to_cart`, `remove_from_cart` and `purchase` are ignored."""

    name: str
    params: NotRequired[dict[str, Any] | None]
    timestamp_micros: NotRequired[int | None]


class Ga4Request(TypedDict):
    """A body of GA4's Measurement Protocol. Other fields are ignored."""

    app_instance_id: NotRequired[Id | None]
    client_id: NotRequired[Id | None]
    events: list[Ga4Event]
    timestamp_micros: NotRequired[int | None]
    user_id: NotRequired[Id | None]


class HistoryEntry(TypedDict):
    """An entry of a history, with the fields and type names of AWS's `GetExecutionHistory`."""

    details: Any
    id: int
    previousEventId: int
    timestamp_ms: int
    type: str


class ImportColumn(TypedDict):
    """A column of the file."""

    examples: list[str]
    name: str


class ImportField(TypedDict):
    """A field and its columns."""

    columns: list[str]
    field: str
    how: str


class ImportMapping(TypedDict):
    """What the caller says about a file; the rest is recognised. For products, only `columns`."""

    columns: NotRequired[dict[str, list[str]]]
    date_order: NotRequired[DateOrder | None]
    header: NotRequired[list[str]]
    no_customer: NotRequired[list[str]]
    order_by: NotRequired[OrderBy | None]
    preset: NotRequired[str | None]
    timezone: NotRequired[str | None]


class ImportPreview(TypedDict):
    """How a file is understood."""

    columns: list[ImportColumn]
    fields: list[ImportField]
    first_ms: NotRequired[int | None]
    first_products: list[dict[str, Any]]
    first_rows: list[ImportRow]
    ignored_columns: list[str]
    last_ms: NotRequired[int | None]
    lines: int
    lines_without_customer: int
    mapping: NotRequired[str | None]
    notes: list[str]
    order_by: NotRequired[OrderBy | None]
    other_events: dict[str, int]
    problem: NotRequired[str | None]
    problems: list[str]
    products: int
    reasons: list[ImportReason]
    rejected: int
    rows: int
    service_codes: list[ImportServiceCode]
    sources: list[ImportSource]
    stock_corrections: int
    timezone: NotRequired[str | None]


class ImportProgress(TypedDict):
    """The progress of an import."""

    done: int
    per_second: NotRequired[float | None]
    rows: NotRequired[int | None]
    seconds_left: NotRequired[int | None]
    step: str
    total: NotRequired[int | None]


class ImportReason(TypedDict):
    """A reason for which rows are rejected."""

    example: str
    reason: str
    rows: int


class ImportResult(TypedDict):
    """What an import did."""

    assembled: NotRequired[ImportReturns | None]
    baskets: int
    events: int
    hidden: NotRequired[int | None]
    lines: int
    orders: int
    problems: list[str]
    products: int
    rejected: int
    unchanged: bool
    users: int


class ImportReturns(TypedDict):
    """Guests and returns among the imported lines."""

    guests: int
    orders_undone: int
    returns: int
    returns_netted: int
    returns_unmatched: int


class ImportRow(TypedDict):
    """A row as it is understood."""

    anonymous_id: NotRequired[str | None]
    at_ms: int
    event: str
    id: str
    line: int
    price: NotRequired[float | None]
    product_id: str
    product_name: str
    quantity: int
    query: str
    user_id: NotRequired[str | None]


class ImportServiceCode(TypedDict):
    """A code in the place of a product that is none: postage, fees, corrections."""

    lines: int
    name: str
    product_id: str


class ImportSource(TypedDict):
    """A file and its format."""

    format: ImportFormat
    name: str


class Item(TypedDict):
    """A product in an event."""

    price: NotRequired[float | None]
    product_id: Id
    quantity: NotRequired[int | None]


class Lake(TypedDict):
    """The lake."""

    feature_sets: list[FeatureSetView]
    job: NotRequired[LakeJob | None]
    rejects: NotRequired[Rejects | None]
    tables: list[LakeTable]


class LakeColumn(TypedDict):
    """A column."""

    name: str
    nullable: bool
    type: str


class LakeFile(TypedDict):
    """A file of a table."""

    bytes: int
    path: str
    rows: int
    written_ms: int


class LakeJob(TypedDict):
    """A job on the lake. Only one runs at a time."""

    done: int
    ended_ms: NotRequired[int | None]
    kind: LakeJobKind
    message: NotRequired[str | None]
    started_ms: int
    state: LakeJobState
    total: NotRequired[int | None]
    what: str


class LakeSample(TypedDict):
    """Sample rows as text."""

    columns: list[str]
    rows: list[list[str | None]]


class LakeTable(TypedDict):
    """A table."""

    bytes: int
    files: int
    name: str
    newest_ms: NotRequired[int | None]
    rows: int
    unreadable: int


class LakeTableDetail(TypedDict):
    """A table in detail."""

    bytes: int
    files: int
    name: str
    newest_ms: NotRequired[int | None]
    rows: int
    unreadable: int
    columns: list[LakeColumn]
    newest_files: list[LakeFile]
    sample: LakeSample


class LastLakeJob(TypedDict):
    """The last job on the lake."""

    job: NotRequired[LakeJob | None]


class LearningCurve(TypedDict):
    """A metric over the rounds of training."""

    metric: str
    train: list[float]
    valid: list[float]


class LineError(TypedDict):
    """A rejected event."""

    error: Problem
    line: int


class ListRequest(TypedDict):
    """A list of a page."""

    filter: NotRequired[str | None]
    limit: NotRequired[int | None]
    name: str
    product_id: NotRequired[Id | None]
    products: NotRequired[list[Id] | None]


class Live(TypedDict):
    """The state of the server at one moment."""

    degraded_total: int
    delivery: LiveDelivery
    events: list[LiveEvent]
    events_total: int
    impressions_dropped_total: int
    minutes: list[LiveTraffic]
    model_version: NotRequired[str | None]
    now_ms: int
    products: int
    ready: bool
    recommend_ms: NotRequired[Percentiles | None]
    release: NotRequired[str | None]
    run: NotRequired[LiveRun | None]
    seconds: list[LiveTraffic]
    sessions: LiveSessions
    shards: int
    submit_ms: NotRequired[Percentiles | None]
    sync_ms: NotRequired[Percentiles | None]
    users: int


class LiveDelivery(TypedDict):
    """The progress of delivery."""

    error: NotRequired[str | None]
    files: int
    last_file: NotRequired[str | None]
    last_ms: NotRequired[int | None]
    oldest_ms: NotRequired[int | None]
    waiting: int


class LiveEvent(TypedDict):
    """An event and how far it has travelled."""

    event: str
    event_id: str
    feature_set: NotRequired[str | None]
    file: NotRequired[str | None]
    model_version: NotRequired[str | None]
    product_ids: list[str]
    received_at_ms: int
    record_id: NotRequired[str | None]
    stage: EventStage
    sync_ms: NotRequired[float | None]
    user_id: str


class LiveRun(TypedDict):
    """The current run of the pipeline."""

    current: list[str]
    name: str


class LiveSessions(TypedDict):
    """The progress of the sessions' consumer."""

    waiting: int


class LiveTraffic(TypedDict):
    """The traffic of one second or minute."""

    at_ms: int
    errors: int
    events: int
    recommendations: int
    requests: int


class Log(TypedDict):
    """The log of a run's tasks."""

    lines: list[LogLine]


class LogLine(TypedDict):
    """A line of an execution's log."""

    at_ms: int
    state: str
    text: str


class Mean(TypedDict):
    """A mean and its standard error."""

    mean: float
    se: float


class MergeRequest(TypedDict):
    """The guest to tie to the user."""

    anonymous_id: Id


class Merged(TypedDict):
    """A tie."""

    event_id: str
    record_id: str
    user_id: str


class Method(TypedDict):
    """The figures of one method."""

    model_lead: NotRequired[Paired | None]
    name: str
    ndcg_at_10: Mean
    ndcg_at_20: Mean
    phr_at_10: Mean
    phr_at_20: Mean
    recall_at_10: Mean
    recall_at_20: Mean
    slices: NotRequired[Slices | None]


class Model(TypedDict):
    """A model."""

    created_ms: int
    evaluation: NotRequired[ModelEvaluation | None]
    feature_set: str
    model_sha256: str
    parameters: dict[str, str]
    schema_hash: str
    status: ModelStatus
    verdict: str
    version: str


class ModelDetail(TypedDict):
    """A model in detail."""

    created_ms: int
    evaluation: NotRequired[ModelEvaluation | None]
    feature_set: str
    model_sha256: str
    parameters: dict[str, str]
    schema_hash: str
    status: ModelStatus
    verdict: str
    version: str
    importance: list[FeatureImportance]
    learning: list[LearningCurve]
    trees: int


class ModelEvaluation(TypedDict):
    """The gate's decision with its report."""

    decided_ms: int
    passed: bool
    report: NotRequired[Report | None]
    run: str
    search: NotRequired[SearchRecord | None]
    sources: NotRequired[SourceSearch | None]
    verdict: NotRequired[Verdict | None]


class Models(TypedDict):
    """Models."""

    models: list[Model]


MovedBy = TypedDict('MovedBy', {
    'from': 'int',
    'rule': 'str',
    'to': 'int',
})


class NamedProduct(TypedDict):
    """What followed from the recommendations of a product, with its name."""

    added: int
    bought: int
    revenue: float
    sent: int
    shown: int
    viewed: int
    product_id: str
    product_name: str


NamedProducts = TypedDict('NamedProducts', {
    'from': 'str',
    'one_in': 'int',
    'products': 'list[NamedProduct]',
    'to': 'str',
})


class OfferedProduct(TypedDict):
    """A product of a cart or an order, as the shop offers it now."""

    aisle: str
    department: str
    product_id: str
    product_name: str
    currency: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: bool
    list_price: NotRequired[str | None]
    price: NotRequired[str | None]
    shown: bool


class Order(TypedDict):
    """An order of the last seven days."""

    items: list[OfferedProduct]
    order_id: str
    ordered_at_ms: int


class OrderHistory(TypedDict):
    """A shopper's orders of the serving feature set."""

    last_order_ms: NotRequired[int | None]
    orders: int
    products: list[BoughtBefore]


class Orders(TypedDict):
    """A shopper's orders."""

    history: NotRequired[OrderHistory | None]
    orders: list[Order]
    user_id: str


class PageAnswer(TypedDict):
    """The lists of a page."""

    degraded: bool
    model_version: str
    placements: list[PlacementList]
    release: str


class PageRequest(TypedDict):
    """A request for several lists of a page."""

    anonymous_id: NotRequired[Id | None]
    cart: NotRequired[list[Id] | None]
    context: NotRequired[dict[str, Any] | None]
    page: NotRequired[str | None]
    placements: list[ListRequest]
    product_id: NotRequired[Id | None]
    user_id: NotRequired[Id | None]


class Paired(TypedDict):
    """A difference, question by question."""

    mean: float
    p_value: float
    se: float


class ParameterSearch(TypedDict):
    """The search for the value of one parameter."""

    chosen: float
    name: str
    outcome: str
    source: str
    trials: list[ParameterTrial]


class ParameterTrial(TypedDict):
    """A value of a parameter."""

    scores: list[float]
    value: float


class Percentiles(TypedDict):
    """Latencies in milliseconds."""

    p50: float
    p99: float


class PlacedProduct(TypedDict):
    """A product of a list."""

    aisle: str
    currency: NotRequired[str | None]
    department: str
    due_at: NotRequired[str | None]
    due_earliest: NotRequired[str | None]
    due_latest: NotRequired[str | None]
    explanation: NotRequired[Explanation | None]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool | None]
    list_price: NotRequired[str | None]
    moved_by: NotRequired[MovedBy | None]
    price: NotRequired[str | None]
    probability: float
    product_id: str
    product_name: str
    propensity: NotRequired[float | None]
    reasons: list[str]
    url: NotRequired[str | None]
    kind: PlacementKind


class Placement(TypedDict):
    """A place of a shop that shows products."""

    diversity: NotRequired[PlacementDiversity]
    explore: NotRequired[PlacementExploration]
    fallback: NotRequired[list[str]]
    filter: NotRequired[str | None]
    kind: PlacementKind
    limit: NotRequired[int]


class PlacementAnswer(TypedDict):
    """The products of a placement, with their origin."""

    placement: str
    recommendation_id: str
    recommendations: list[PlacedProduct]
    degraded: bool
    model_version: str
    release: str


class PlacementDiversity(TypedDict):
    """The dials of diversity, each from 0, which changes nothing, to 1."""

    calibration: NotRequired[float]
    variety: NotRequired[float]


class PlacementExploration(TypedDict):
    """How far a list tries products of which little is known."""

    slots: int


class PlacementList(TypedDict):
    """The products of a placement."""

    placement: str
    recommendation_id: str
    recommendations: list[PlacedProduct]


class PlacementRequest(TypedDict):
    """A request for the products of a placement."""

    anonymous_id: NotRequired[Id | None]
    cart: NotRequired[list[Id] | None]
    context: NotRequired[dict[str, Any] | None]
    filter: NotRequired[str | None]
    limit: NotRequired[int | None]
    page: NotRequired[str | None]
    product_id: NotRequired[Id | None]
    products: NotRequired[list[Id] | None]
    user_id: NotRequired[Id | None]


class PlacementsDocument(TypedDict):
    """Every placement of a shop. The default is the document that exists from the start."""

    placements: dict[str, Placement]


class PlacementsView(TypedDict):
    """Every placement, with the version of the document."""

    by: NotRequired[str | None]
    changed_at_ms: NotRequired[int | None]
    placements: dict[str, Placement]
    version: int


class Preview(TypedDict):
    """A list before and after."""

    after: list[PlacedProduct]
    before: list[PlacedProduct]
    conflicts: list[RuleConflict]
    degraded: bool


class PreviewRequest(TypedDict):
    """A shopper, and the rules to try."""

    anonymous_id: NotRequired[Id | None]
    cart: NotRequired[list[Id] | None]
    context: NotRequired[dict[str, Any] | None]
    product_id: NotRequired[Id | None]
    products: NotRequired[list[Id] | None]
    rules: list[Rule]
    user_id: NotRequired[Id | None]


class PriceRange(TypedDict):
    """Products of similar prices."""

    count: int
    max_price: str
    min_price: str


class Problem(TypedDict):
    """An RFC 9457 problem document."""

    detail: str
    expected: NotRequired[str | None]
    field: NotRequired[str | None]
    position: NotRequired[int | None]
    status: int
    title: str
    type: str


class Product(TypedDict):
    """A product of the catalogue."""

    aisle: str
    brand: NotRequired[str | None]
    currency: NotRequired[str | None]
    department: str
    image_url: NotRequired[str | None]
    in_stock: bool
    list_price: NotRequired[str | None]
    orders: int
    price: NotRequired[str | None]
    product_id: str
    product_name: str
    shown: bool
    url: NotRequired[str | None]


class ProductBatch(TypedDict):
    """One result per product, in the order of the request."""

    failed_count: int
    hidden_count: NotRequired[int | None]
    products: list[ProductResult]


class ProductFunnel(TypedDict):
    """What followed from the recommendations of a product."""

    added: int
    bought: int
    revenue: float
    sent: int
    shown: int
    viewed: int
    product_id: str


class ProductLabel(TypedDict):
    """The names of a product."""

    aisle: str
    department: str
    product_id: str
    product_name: str


ProductQuality = TypedDict('ProductQuality', {
    'days': 'list[DayQuality]',
    'from': 'str',
    'one_in': 'int',
    'placements': 'list[QualityPart]',
    'product_id': 'str',
    'sources': 'list[QualityPart]',
    'to': 'str',
    'total': 'Funnel',
})


class ProductResult(TypedDict):
    """The result of a product: its entity tag, or a problem."""

    error: NotRequired[Problem | None]
    etag: NotRequired[str | None]
    outcome: NotRequired[ProductOutcome | None]
    product_id: NotRequired[str | None]


class ProductSeen(TypedDict):
    """A viewed product."""

    at_ms: int
    product: ProductLabel


class Products(TypedDict):
    """A page of products."""

    next_cursor: NotRequired[str | None]
    products: list[Product]
    total: int


Quality = TypedDict('Quality', {
    'answers': 'int',
    'days': 'list[DayQuality]',
    'exploration': 'ExplorationQuality',
    'from': 'str',
    'models': 'list[QualityPart]',
    'one_in': 'int',
    'placements': 'list[QualityPart]',
    'positions': 'list[Funnel]',
    'rules': 'list[QualityPart]',
    'sources': 'list[QualityPart]',
    'to': 'str',
    'total': 'Funnel',
    'window_hours': 'int',
})


class QualityPart(TypedDict):
    """What followed from a part of the recommendations."""

    added: int
    bought: int
    revenue: float
    sent: int
    shown: int
    viewed: int
    answers: NotRequired[int | None]
    name: str
    positions: NotRequired[list[Funnel]]


class QueryCount(TypedDict):
    """How often a query was asked."""

    followed: int
    query: str
    searches: int
    shoppers: int


class RankRequest(TypedDict):
    """A request to order products."""

    anonymous_id: NotRequired[Id | None]
    cart: NotRequired[list[Id] | None]
    context: NotRequired[dict[str, Any] | None]
    filter: NotRequired[str | None]
    limit: NotRequired[int | None]
    products: list[Id]
    user_id: NotRequired[Id | None]


class Ranked(TypedDict):
    """Ranked products."""

    recommendations: list[Recommendation]


class RankedProduct(TypedDict):
    """A product with its place in a ranking."""

    probability: float
    product_id: str


class Ranking(TypedDict):
    """Products in the order for a shopper."""

    degraded: bool
    model_version: str
    products: list[RankedProduct]
    recommendation_id: str
    release: str
    unranked: list[Unranked]


class Readiness(TypedDict):
    """The server's readiness. Where keys are required, only an admin key is told more than `ready` and `degraded`."""

    degraded: bool
    engine: NotRequired[EngineStatus | None]
    operated_by: NotRequired[str | None]
    ready: bool
    sessions: NotRequired[bool | None]
    stream: NotRequired[str | None]
    tasks: NotRequired[list[Task] | None]


class Recommendation(TypedDict):
    """A recommended product."""

    aisle: str
    currency: NotRequired[str | None]
    department: str
    due_at: NotRequired[str | None]
    due_earliest: NotRequired[str | None]
    due_latest: NotRequired[str | None]
    explanation: NotRequired[Explanation | None]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool | None]
    list_price: NotRequired[str | None]
    moved_by: NotRequired[MovedBy | None]
    price: NotRequired[str | None]
    probability: float
    product_id: str
    product_name: str
    propensity: NotRequired[float | None]
    reasons: list[str]
    url: NotRequired[str | None]


class RecommendationRequest(TypedDict):
    """A request for recommendations."""

    anonymous_id: NotRequired[Id | None]
    cart: NotRequired[list[Id] | None]
    context: NotRequired[dict[str, Any] | None]
    explain: NotRequired[bool]
    filter: NotRequired[str | None]
    filters: NotRequired[Filters | None]
    limit: NotRequired[int | None]
    user_id: NotRequired[Id | None]


class Recommendations(TypedDict):
    """Recommendations."""

    candidates: NotRequired[list[SourceCount] | None]
    degraded: bool
    model_version: str
    recommendation_id: str
    recommendations: list[Recommendation]
    release: str


class Reject(TypedDict):
    """A row that an import rejected."""

    file: str
    line: str
    reason: str
    row: str


class Rejects(TypedDict):
    """Rows that the last import rejected."""

    file: str
    rows: int
    sample: list[Reject]


class Release(TypedDict):
    """A feature set with the model that ranks on it."""

    feature_set: str
    model: NotRequired[str | None]
    schema_hash: str


class Replay(TypedDict):
    """An earlier answer, computed again from what is stored."""

    answered_at_ms: int
    missing: list[str]
    outcome: ReplayOutcome
    placement: NotRequired[str | None]
    places: list[ReplayedPlace]
    recommendation_id: str
    release: str
    user_id: NotRequired[str | None]


class ReplayedPlace(TypedDict):
    """A place of an answer."""

    again: NotRequired[AnsweredProduct | None]
    explanation: NotRequired[Explanation | None]
    given: NotRequired[AnsweredProduct | None]
    is_same: bool
    place: int
    product_name: NotRequired[str | None]


class Report(TypedDict):
    """Quality on users whom training held out: the gate users, or all users by cross-validation. Errors are clustered by user."""

    calibration: NotRequired[list[CalibrationBin]]
    calibration_error: float
    candidate_recall: Mean
    comparison: Comparison
    due_dates: NotRequired[DueDates | None]
    event: NotRequired[str]
    feature_set: str
    folds: NotRequired[int]
    half_cart_recall_at_10: Mean
    label: NotRequired[str]
    log_loss: float
    methods: list[Method]
    model: NotRequired[str | None]
    questions: NotRequired[int]
    since_ms: NotRequired[int | None]
    users: int


class Rule(TypedDict):
    """A rule: an action on some products, where and when it holds."""

    action: RuleAction
    active: NotRequired[bool]
    id: str
    name: NotRequired[str]
    priority: NotRequired[int]
    products: NotRequired[RuleProducts | None]
    scope: NotRequired[RuleScope]


class RuleConflict(TypedDict):
    """A contradiction between rules. They can be saved: the one that wins is in effect."""

    kind: ConflictKind
    reason: str
    rules: list[str]
    wins: NotRequired[str | None]


RuleScope = TypedDict('RuleScope', {
    'category': 'NotRequired[str | None]',
    'from': 'NotRequired[str | None]',
    'placements': 'NotRequired[list[str]]',
    'segment': 'NotRequired[str | None]',
    'until': 'NotRequired[str | None]',
    'weekdays': 'NotRequired[list[Weekday]]',
})


class RulesView(TypedDict):
    """The rules, with the version of the document."""

    by: NotRequired[str | None]
    changed_at_ms: NotRequired[int | None]
    conflicts: list[RuleConflict]
    rules: list[Rule]
    version: int


class Run(TypedDict):
    """An execution in full."""

    current: list[str]
    error: NotRequired[str | None]
    machine: str
    name: str
    started_ms: int
    status: str
    stopped_ms: NotRequired[int | None]
    cause: NotRequired[str | None]
    definition: Any
    history: list[HistoryEntry]
    input: Any
    output: NotRequired[Any]
    progress: dict[str, StateProgress]


class RunSummary(TypedDict):
    """Summary of an execution."""

    current: list[str]
    error: NotRequired[str | None]
    machine: str
    name: str
    started_ms: int
    status: str
    stopped_ms: NotRequired[int | None]


class SearchQueries(TypedDict):
    """What shoppers searched for in a period."""

    min_shoppers: int
    queries: list[SearchedQuery]
    searches: int
    since_ms: int
    unnamed: int
    without_products: list[SearchedQuery]


class SearchRecord(TypedDict):
    """What a search tried, and what it chose."""

    chosen: NotRequired[int | None]
    mode: SearchMode
    outcome: str
    rounds: list[int]
    trials: list[Trial]


class SearchResults(TypedDict):
    """What a search finds."""

    corrected_query: NotRequired[str | None]
    did_you_mean: list[Suggestion]
    facets: Facets
    next_cursor: NotRequired[str | None]
    products: list[Product]
    total: int


class SearchSeen(TypedDict):
    """A search."""

    at_ms: int
    query: str


class SearchedQuery(TypedDict):
    """A query, and what it finds."""

    followed: int
    query: str
    searches: int
    shoppers: int
    corrected_query: NotRequired[str | None]
    products: int


class SegmentBatch(TypedDict):
    """Several calls of Segment's tracking API."""

    batch: list[SegmentCall]


class SegmentCall(TypedDict):
    """A call of Segment's tracking API. Other fields are ignored, as are calls other than `track` and events other than `Product Viewed`, `Product Added`, `Product Removed` and `Order Completed`."""

    anonymousId: NotRequired[Id | None]
    event: NotRequired[str | None]
    messageId: NotRequired[str | None]
    properties: NotRequired[dict[str, Any] | None]
    timestamp: NotRequired[str | None]
    type: NotRequired[str | None]
    userId: NotRequired[Id | None]


class SessionView(TypedDict):
    """A shopper's activity of the last seven days."""

    cart: list[CartItem]
    cart_changes: list[CartChangeSeen]
    checkouts: list[CheckoutSeen]
    events: int
    searches: list[SearchSeen]
    updated_ms: int
    views: list[ProductSeen]


class Slice(TypedDict):
    """A recall over the questions that a slice is about."""

    mean: float
    se: float
    users: int


class Slices(TypedDict):
    """Quality of one method by slices."""

    coverage: float
    expl_recall_at_10: Slice
    expl_recall_at_20: Slice
    few_orders_recall_at_10: Slice
    guest_recall_at_10: Slice
    intra_list_distance: NotRequired[float]
    long_tail: float
    new_product_recall_at_10: Slice
    novelty: float
    rep_recall_at_10: Slice
    rep_recall_at_20: Slice


class SourceCount(TypedDict):
    """The number of candidates from one source."""

    candidates: int
    source: str


class SourceSearch(TypedDict):
    """What a search for the parameters of sources tried, and what it chose."""

    mode: SearchMode
    outcome: str
    parameters: list[ParameterSearch]
    questions: list[int]


class StartFileImport(TypedDict):
    """How to import."""

    confirm: NotRequired[bool]
    max_rejects: NotRequired[float | None]
    mode: NotRequired[ImportMode | None]


class StartRun(TypedDict):
    """Options of a run."""

    hyperparameters: NotRequired[dict[str, str]]
    name: NotRequired[str | None]


class Started(TypedDict):
    """A run that has started."""

    name: str


class StateProgress(TypedDict):
    """The progress of a running task."""

    done: int
    total: NotRequired[int | None]
    what: str


class StoredPiece(TypedDict):
    """What became of a piece of the stream: up to 500 events."""

    accepted: int
    errors: NotRequired[list[LineError]]
    rejected: int
    repeated: int
    through_line: int
    warnings: NotRequired[list[str]]


class StoredRule(TypedDict):
    """A stored rule."""

    conflicts: list[RuleConflict]
    rule: Rule
    version: int


class StreamEnd(TypedDict):
    """The end of a stream, with its totals."""

    accepted: int
    done: bool
    problem: NotRequired[Problem | None]
    rejected: int
    repeated: int
    through_line: int


class Submitted(TypedDict):
    """The answer to an event."""

    degraded: bool
    event_id: str
    message: str
    model_version: str
    recommendation_id: str
    recommendations: list[Recommendation]
    record_id: NotRequired[str | None]
    shard_id: NotRequired[str | None]
    warnings: NotRequired[list[str]]


class Suggestion(TypedDict):
    """A query that finds something."""

    query: str
    total: int


class SynonymGroups(TypedDict):
    """The document of words that mean the same, as it is stored and sent."""

    groups: list[str]


class SynonymsView(TypedDict):
    """The synonyms, with the version of the document."""

    by: NotRequired[str | None]
    changed_at_ms: NotRequired[int | None]
    groups: list[str]
    version: int


class Task(TypedDict):
    """A background task of the server."""

    failures: int
    name: str
    state: TaskState


class Trial(TypedDict):
    """A trial of a search."""

    error: NotRequired[str | None]
    hyperparameters: dict[str, str]
    losses: list[float]
    number: int


class UndoRequest(TypedDict):
    """A request to put an earlier version back."""

    version: NotRequired[int | None]


class UnknownProductView(TypedDict):
    """A product that only events name."""

    events: int
    last_ms: NotRequired[int | None]
    orders: int
    product_id: str


class UnknownProducts(TypedDict):
    """Products that only events name."""

    products: list[UnknownProductView]
    total: int


class Unranked(TypedDict):
    """A product without a place in a ranking."""

    product_id: str
    reason: UnrankedReason


class UserDetail(TypedDict):
    """A user's record and session."""

    feature_set: str
    record: NotRequired[UserRecord | None]
    session: NotRequired[SessionView | None]
    user_id: str


class UserExport(TypedDict):
    """Everything stored about a user."""

    exported_at_ms: int
    record: NotRequired[UserRecord | None]
    session: NotRequired[SessionView | None]
    stored: dict[str, Any]
    user_id: str


class UserRecord(TypedDict):
    """A user's record in the feature set."""

    bought: list[BoughtProduct]
    last_order_ms: NotRequired[int | None]
    lines: int
    mean_days_since_prior: float
    orders: int
    products: int
    reorder_ratio: float


class UserSummary(TypedDict):
    """A user with a purchase history."""

    favourites: list[str]
    mean_days: NotRequired[float | None]
    orders: int
    products: int
    user_id: str


class Users(TypedDict):
    """Users."""

    users: list[UserSummary]


class ValueShare(TypedDict):
    """The part of a product's value in its place: answers are ordered by probability times value. The amount is not shown, since a margin tells the cost."""

    by: str
    is_known: bool


class Verdict(TypedDict):
    """A decision of the gate that explains itself."""

    advice: NotRequired[str | None]
    figures: Figures
    outcome: Outcome
    reason: str


class WebhookAnswer(TypedDict):
    """The answer to a webhook."""

    error: NotRequired[Problem | None]
    outcome: WebhookOutcome


# The value of an attribute.
Attribute: TypeAlias = bool | float | str | list[str]


# The kinds of contradictions.
ConflictKind: TypeAlias = Literal['same_place', 'pinned_and_blocked', 'demanded_and_blocked', 'too_many', 'moved_and_blocked', 'boosted_and_buried', 'never_holds']


# The order of day and month.
DateOrder: TypeAlias = Literal['dmy', 'mdy']


# The next step of an erasure. Answers no longer use the user's data.
ErasureStep: TypeAlias = Literal['lake', 'features']


# Kinds of events.
EventName: TypeAlias = Literal['view', 'search', 'add_to_cart', 'remove_from_cart', 'update_cart', 'checkout', 'return', 'identify', 'get_recommendations', 'impression']


# How far an event has travelled.
EventStage: TypeAlias = Literal['accepted', 'synced', 'delivered', 'in_feature_set', 'in_model']


File: TypeAlias = str


# An id: 1 to 128 bytes of UTF-8 without control characters; an integer is kept as its decimal text.
Id: TypeAlias = str | int


# What the rows of a file are.
ImportContent: TypeAlias = Literal['events', 'orders', 'products']


# How the rows of a file are cut into cells.
ImportFormat: TypeAlias = dict[str, Any] | Literal['json'] | Literal['parquet']


# What happens to earlier data.
ImportMode: TypeAlias = Literal['append', 'replace']


# The state of an import.
ImportState: TypeAlias = Literal['uploading', 'reading', 'ready', 'importing', 'done', 'failed']


# The kind of a job on the lake.
LakeJobKind: TypeAlias = Literal['import', 'generate']


# The state of a job on the lake.
LakeJobState: TypeAlias = Literal['running', 'done', 'failed']


# The id by which an answer names its request.
MessageId: TypeAlias = str | int


# The status of a model.
ModelStatus: TypeAlias = Literal['candidate', 'serving', 'challenger', 'previous', 'retired', 'rejected']


# What makes an order of a customer's lines without an order id.
OrderBy: TypeAlias = Literal['day', 'time']


# What becomes of a model.
Outcome: TypeAlias = Literal['released', 'provisional', 'rejected', 'untrained']


# A kind of list.
PlacementKind: TypeAlias = Literal['for_you', 'cart', 'bought_together', 'substitutes', 'also_viewed', 'trending', 'popular', 'new', 'buy_again', 'recently_viewed', 'rank']


# What happened to a product.
ProductOutcome: TypeAlias = Literal['created', 'updated', 'unchanged']


# How an answer that was made again compares with the one that was given.
ReplayOutcome: TypeAlias = Literal['same', 'different', 'incomplete', 'erased']


# What a rule does with its products.
RuleAction: TypeAlias = dict[str, Any]


# A group of products that `at_most` counts by itself.
RulePer: TypeAlias = Literal['department', 'aisle', 'brand']


# Products, by id or by a condition.
RuleProducts: TypeAlias = dict[str, Any]


# How much a search tries: for hyperparameters, and for the parameters of sources.
SearchMode: TypeAlias = Literal['off', 'quick', 'full']


# A body that Segment sends: one call or several.
SegmentRequest: TypeAlias = SegmentBatch | SegmentCall


# A job to start on the lake. It replaces imported orders and products; events remain.
StartLakeJob: TypeAlias = dict[str, Any]


# A line of the answer to a stream of events.
StreamLine: TypeAlias = StoredPiece | StreamEnd


# Whether a background task runs.
TaskState: TypeAlias = Literal['running', 'restarting', 'failed']


# Why a product has no place in a ranking.
UnrankedReason: TypeAlias = Literal['unknown', 'not_shown', 'filtered']


# What became of a webhook.
WebhookOutcome: TypeAlias = Literal['stored', 'ignored', 'refused']


# A day of the week.
Weekday: TypeAlias = Literal['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']
