import type { MachineEvent } from "../core/observer.ts";
import { eventColumns, readEvents } from "./event_columns.ts";
import { type EventFilter, eventMatches } from "./event_filter.ts";
import type { Fields } from "./fields.ts";
import { TraceError } from "./trace_error.ts";
import type { WindowInfo } from "./window_index.ts";

/**
 * The events of an item that pass a filter, in order.
 *
 * @throws TraceError if one is not in the item's window
 */
export function* filteredEvents(
  fields: Fields,
  window: WindowInfo,
  filter: EventFilter,
): Generator<MachineEvent> {
  const { kinds, mayMatter } = filter;
  if (mayMatter && !mayMatter(eventColumns(fields))) return;
  for (const event of readEvents(fields, (kind) => kinds === undefined || kinds.has(kind))) {
    if (event.position < window.start || event.position > window.end) {
      throw new TraceError(
        `Cannot read ${fields.what}: expected positions from ${window.start} to ${window.end}`,
      );
    }
    if (eventMatches(event, filter)) yield event;
  }
}
