/** The API's types, under the names that the pages use. They come from the OpenAPI
 * document: `make types`. */
import type { components } from './schema';

type Schemas = components['schemas'];

/** Event kinds, in the order of the documentation. */
export const EVENT_KINDS = [
  'view',
  'add_to_cart',
  'remove_from_cart',
  'update_cart',
  'checkout',
  'get_recommendations',
] as const satisfies readonly Schemas['EventName'][];

export type EventKind = Schemas['EventName'];

/** A product of an event; `quantity` defaults to 1. */
export type EventItem = Omit<Schemas['Item'], 'product_id'> & { product_id: string };
/** Body of `POST /submit`. The client sets the event id, and sends ids as strings; the API
 * accepts integers too. */
export type EventBody = Omit<Schemas['Event'], 'event_id' | 'user_id' | 'product_ids' | 'items'> & {
  event_id: string;
  user_id: string;
  product_ids?: string[] | null;
  items?: EventItem[] | null;
};
/** The fields that every product has. */
export type ProductLabel = Schemas['ProductLabel'];
export type Product = Schemas['Product'];
/** A product as the pages draw it: its names, and what the shop offers if that is known. */
export type ShownProduct = ProductLabel &
  Partial<Pick<Product, 'price' | 'list_price' | 'currency' | 'image_url' | 'shown'>> & {
    in_stock?: boolean | null;
  };
export type Products = Schemas['Products'];
/** What a search of the shop finds. */
export type SearchResults = Schemas['SearchResults'];
export type Facets = Schemas['Facets'];
export type Department = Schemas['Department'];
export type FeatureContribution = Schemas['FeatureContribution'];
export type Explanation = Schemas['Explanation'];
/** A product, the probability (0–1) that it is bought next, and the reasons. */
export type Recommendation = Schemas['Recommendation'];
/** Response of `POST /submit`. */
export type SubmitAnswer = Schemas['Submitted'];
/** Response of `POST /v1/recommendations`. */
export type Recommendations = Schemas['Recommendations'];
/** A list of a page. */
export type PlacementList = Schemas['PlacementList'];
export type PlacedProduct = PlacementList['recommendations'][number];
export type ListRequest = Schemas['ListRequest'];
export type Placement = Schemas['Placement'];
export type PlacementKind = Schemas['PlacementKind'];
export type Placements = Schemas['PlacementsView'];
/** A version of the placements or the rules: when it was stored, by whom, and what it changed. */
export type DocumentVersion = Schemas['DocumentVersion'];
export type Preview = Schemas['Preview'];
export type PreviewRequest = Schemas['PreviewRequest'];
export type Rules = Schemas['RulesView'];
export type Rule = Schemas['Rule'];
export type RuleAction = Schemas['RuleAction'];
export type RuleProducts = Schemas['RuleProducts'];
export type RuleScope = Schemas['RuleScope'];
export type RuleConflict = Schemas['RuleConflict'];
/** Words that mean the same in searches, with the version of the document. */
export type Synonyms = Schemas['SynonymsView'];
/** What shoppers searched for, and what it finds now. */
export type SearchQueries = Schemas['SearchQueries'];
export type SearchedQuery = Schemas['SearchedQuery'];
export type Weekday = Schemas['Weekday'];
export type UserSummary = Schemas['UserSummary'];
export type CartItem = Schemas['CartItem'];
/** The cart in a shopper's session on the server. */
export type Cart = Schemas['Cart'];
/** A product of a cart or an order, as the shop offers it now. */
export type OfferedProduct = Schemas['OfferedProduct'];
/** A shopper's orders, and the products bought before. */
export type Orders = Schemas['Orders'];
export type BoughtProduct = Schemas['BoughtProduct'];
export type UserRecord = Schemas['UserRecord'];
export type SessionView = Schemas['SessionView'];
export type UserDetail = Schemas['UserDetail'];
/** The fields of a product that the shop keeps. */
export type CatalogueProduct = Schemas['CatalogueProduct'];
/** A product as the shop keeps it, with its entity tag. */
export type CatalogueEntry = Schemas['CatalogueEntry'];
export type CataloguePage = Schemas['CataloguePage'];
export type UnknownProduct = Schemas['UnknownProductView'];
export type UnknownProducts = Schemas['UnknownProducts'];
export type Readiness = Schemas['Readiness'];
/** A problem document (RFC 9457). */
export type Problem = Schemas['Problem'];

export type Percentiles = Schemas['Percentiles'];
/** The last processing stage that an event has reached. */
export type EventStage = Schemas['EventStage'];
export type LiveEvent = Schemas['LiveEvent'];
export type LiveTraffic = Schemas['LiveTraffic'];
/** Data of each `live` event of `GET /v1/live`, once a second. */
export type Live = Schemas['Live'];

export type RunSummary = Schemas['RunSummary'];
export type HistoryEntry = Schemas['HistoryEntry'];
export type StateProgress = Schemas['StateProgress'];
export type Run = Schemas['Run'];
export type Executions = Schemas['Executions'];
export type LogLine = Schemas['LogLine'];

export type ModelStatus = Schemas['ModelStatus'];
export type Verdict = Schemas['Verdict'];
export type Mean = Schemas['Mean'];
export type Method = Schemas['Method'];
export type CalibrationBin = Schemas['CalibrationBin'];
export type Report = Schemas['Report'];
export type Slices = Schemas['Slices'];
export type SearchRecord = Schemas['SearchRecord'];
export type SourceSearch = Schemas['SourceSearch'];
export type ModelEvaluation = Schemas['ModelEvaluation'];
export type Model = Schemas['Model'];
export type LearningCurve = Schemas['LearningCurve'];
export type FeatureImportance = Schemas['FeatureImportance'];
export type ModelDetail = Schemas['ModelDetail'];
export type Release = Schemas['Release'];

export type LakeTable = Schemas['LakeTable'];
export type LakeTableDetail = Schemas['LakeTableDetail'];
export type FeatureSetView = Schemas['FeatureSetView'];
export type Rejects = Schemas['Rejects'];
export type LakeJob = Schemas['LakeJob'];
export type Lake = Schemas['Lake'];
export type StartImport = Extract<Schemas['StartLakeJob'], { kind: 'import' }>;
export type StartGenerate = Extract<Schemas['StartLakeJob'], { kind: 'generate' }>;

/** What the rows of an uploaded file are. */
export type ImportKind = Schemas['ImportContent'];
/** An import of an uploaded file. */
export type FileImport = Schemas['FileImport'];
/** The open import, and what the server imports. */
export type FileImports = Schemas['FileImports'];
export type ImportMapping = Schemas['ImportMapping'];
export type ImportPreview = Schemas['ImportPreview'];
export type ImportProgress = Schemas['ImportProgress'];
export type ImportResult = Schemas['ImportResult'];
export type StartFileImport = Schemas['StartFileImport'];

export type Funnel = Schemas['Funnel'];
export type Quality = Schemas['Quality'];
/** An earlier answer, computed again. */
export type Replay = Schemas['Replay'];
export type QualityPart = Schemas['QualityPart'];
export type DayQuality = Schemas['DayQuality'];
/** What followed from recommendations, by product. */
export type ProductsQuality = Schemas['NamedProducts'];
export type ProductQuality = Schemas['ProductQuality'];
export type ExplorationQuality = Schemas['ExplorationQuality'];
