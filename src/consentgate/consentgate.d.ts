/** What a page's own scripts may ask of consentgate, where the policy says `script_api = true`. */

/** What the visitor agreed to; nothing in it can be changed. */
export interface ConsentState {
  /** Ids of the categories that are on, essential ones included. */
  readonly granted: readonly string[];
  /** Whether nothing is left to ask. */
  readonly isDecided: boolean;
}

export interface Consentgate {
  /** The state, or `null` on a page for a shared cache until the server has said what holds for this visitor. */
  readonly state: ConsentState | null;
  /** Tell whether a category is on. */
  allows(category: string): boolean;
  /** Bring the question into view where there is one, else go to the cookies page. */
  open(): void;
  /** Be told of each change; returns a function that ends it. */
  onChange(listener: (state: ConsentState) => void): () => void;
}

declare global {
  interface Window {
    /** Missing until consentgate's deferred script has run: wait for `consentgate:ready` or `DOMContentLoaded`. */
    readonly consentgate?: Consentgate;
  }
  interface DocumentEventMap {
    /** `window.consentgate` is there. The detail is its state. */
    "consentgate:ready": CustomEvent<ConsentState | null>;
    /** The visitor's choice has changed: on this page, in another tab, or on another of the sites. */
    "consentgate:change": CustomEvent<ConsentState>;
  }
}
