#!/usr/bin/env python3
"""An independent decoder of unboot traces, written from trace/SPEC.md alone.

It shares nothing with the recorder: Python 3, cbor2 and zstandard are all it needs. It reads a
whole trace, checks every hash, commit and sum that the specification describes, and prints JSON
lines: what the file is, every exception, device access and console byte, and last the executed
instructions as counts and digests. Numbers of 64 bits are texts in hexadecimal.

    independent_decoder.py TRACE [--events main|all|none] [--steps FROM TO] [--index]

Exit status: 0 complete, 3 truncated, 1 no trace or a trace that breaks the specification.
"""

import argparse
import collections
import hashlib
import json
import struct
import sys
from dataclasses import dataclass

import cbor2
import zstandard

HEADER, IMAGE, SYMBOLS, LINES, PAGES, INPUT, FLOW, EVENTS, KEYFRAME = range(9)
VALUES, SUMMARY, COMMIT, FOOTER, DIGEST = 9, 10, 11, 12, 13

PAGE = 4096
WORD = 1 << 64


class Torn(Exception):
    """The file cannot be trusted from here on: it ends, or a hash or a commit does not match."""


class Broken(Exception):
    """Hashes hold, and still the trace is not what the specification says."""


def require(condition, message):
    if not condition:
        raise Broken(message)


# ---------------------------------------------------------- CBOR, SPEC section 2


def head(major, value):
    """The shortest head of a CBOR item."""
    if value < 24:
        return bytes([major << 5 | value])
    for more, size in enumerate((1, 2, 4, 8)):
        if value < 1 << 8 * size:
            return bytes([major << 5 | 24 + more]) + value.to_bytes(size, "big")
    raise ValueError("an integer of more than 64 bits")


def read_head(data, at):
    """Major type, argument, whether it is in the shortest form, and the offset behind the head."""
    if at >= len(data):
        raise Torn("the file ends in an item")
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if low < 24:
        return major, low, True, at
    if low > 27:
        raise Torn("an item of indefinite length, or no CBOR")
    size = 1 << low - 24
    if at + size > len(data):
        raise Torn("the file ends in an item")
    value = int.from_bytes(data[at : at + size], "big")
    return major, value, len(head(major, value)) == 1 + size, at + size


def check_content(data):
    """Content is one map with text keys: definite, bounded, without tags and odd simple values."""
    at = items = 0

    def text_or_bytes(length):
        nonlocal at
        at += length
        require(at <= len(data), "a string longer than the content")

    def value(depth, only=None):
        nonlocal at, items
        items += 1
        require(depth <= 12, "content nested deeper than 12")
        require(items <= 262_144, "more than 262,144 CBOR items in a content")
        initial = data[at] if at < len(data) else 0xFF
        try:
            major, argument, _, at = read_head(data, at)
        except Torn as torn:
            raise Broken(f"content: {torn}") from None
        require(only is None or major == only, "content is no map, or a key is no text")
        require(major != 6, "a tag in content")
        require(major != 7 or initial in (0xF4, 0xF5, 0xF6, 0xFB), "a float or simple value")
        if major in (2, 3):
            text_or_bytes(argument)
        for _ in range(argument if major in (4, 5) else 0):
            if major == 5:
                value(depth + 1, 3)
            value(depth + 1)

    value(0, 5)
    require(at == len(data), "something behind the content's map")


def load(data):
    try:
        return cbor2.loads(data)
    except cbor2.CBORError as error:
        raise Broken(f"CBOR: {error}") from None


def unpack(body, size):
    """Unpacks one zstd frame, bit by bit: a frame that grows beyond `size` must not fill memory."""
    frame, data = zstandard.ZstdDecompressor().decompressobj(), bytearray()
    try:
        for at in range(0, len(body), 1024):
            require(not frame.eof, "something behind the zstd frame")
            data += frame.decompress(body[at : at + 1024])
            require(len(data) <= size, f"more than {size} bytes of content")
    except zstandard.ZstdError as error:
        raise Broken(f"zstd: {error}") from None
    require(frame.eof, "the zstd frame is not complete")
    require(not frame.unused_data, "something behind the zstd frame")
    return bytes(data)


@dataclass
class Item:
    """One item of the file, its hash already checked."""

    kind: int
    encoding: int
    size: int
    hash: bytes
    body: bytes
    start: int
    end: int
    recorded_at: str

    def content(self):
        """The content's map. It is unpacked every time: nothing large is kept."""
        require(self.encoding in (0, 1), f"encoding {self.encoding}")
        data = self.body if self.encoding == 0 else unpack(self.body, self.size)
        require(len(data) == self.size, f"{len(data)} bytes of content, not {self.size}")
        check_content(data)
        return load(data)


def read_item(data, start):
    """The item at an offset: `[kind, encoding, size, hash, body]`; the header has a time, too."""
    tagged = data[start : start + 3] == b"\xd9\xd9\xf7"
    at = start + 3 if tagged else start

    def element(expected):
        nonlocal at
        major, value, shortest, at = read_head(data, at)
        if major != expected or not shortest:
            raise Torn("no item of a trace")
        return value

    def string(major):
        nonlocal at
        length = element(major)
        if at + length > len(data):
            raise Torn("the file ends in an item")
        at += length
        return bytes(data[at - length : at])

    if element(4) != (6 if tagged else 5):
        raise Torn("no item of a trace")
    kind, encoding, size = element(0), element(0), element(0)
    stored = string(2)
    if size > 33_554_432 or len(stored) != 16:
        raise Torn("no item of a trace")
    body = string(2)
    time = string(3) if tagged else b""
    if len(time) > 64:
        raise Torn("a time of the recording that is too long")
    hashed = head(4, 4) + head(0, kind) + head(0, encoding) + head(0, size) + head(2, len(body))
    if hashlib.sha256(hashed + body).digest()[:16] != stored:
        raise Torn("the hash of an item does not match")
    return Item(kind, encoding, size, stored, body, start, at, time.decode("utf-8", "replace"))


# ---------------------------------------------------------- the file, SPEC sections 2 and 12


@dataclass
class Window:
    """A committed window: its items by kind, in file order."""

    number: int
    start: int
    end: int
    items: list
    length: int
    commit: int
    hash: bytes

    def contents(self, kind):
        return [item.content() for item in self.items if item.kind == kind]

    def only(self, kind, name):
        found = self.contents(kind)
        require(len(found) == 1, f"window {self.number} has {len(found)} items {name}")
        return found[0]


@dataclass
class Trace:
    header: dict
    recorded_at: str
    windows: list
    footer: dict | None
    why: str
    size: int
    ignored: int = 0
    unknown: int = 0

    @property
    def end(self):
        return self.windows[-1].end


def commit_window(item, pending, windows):
    """SPEC 12: the window that a commit closes. Anything that does not match makes it invalid."""
    try:
        commit = item.content()
        number, start, end = (int(commit[name]) for name in ("window", "start", "end"))
        length, stored = int(commit["length"]), bytes(commit["hash"])
        require(min(number, start, end) >= 0, "a negative number")
    except (Broken, KeyError, TypeError, ValueError) as error:
        raise Torn(f"no commit: {error}") from None
    before = windows[-1].hash if windows else bytes(16)
    digest = hashlib.sha256(before + head(4, 3) + head(0, number) + head(0, start) + head(0, end))
    for one in pending:
        digest.update(one.hash)
    first = pending[0].start if pending else item.start
    if digest.digest()[:16] != stored or length != item.start - first:
        raise Torn("a commit that does not match its window")
    last_end = windows[-1].end if windows else 0
    if number != len(windows) or start != last_end or (end != 0 if number == 0 else end <= start):
        raise Torn("a commit of another window")
    return Window(number, start, end, pending, length, item.end - item.start, stored)


def scan(data):
    """Passes over all items, checks every hash and commit, and keeps the committed windows."""
    try:
        first = read_item(data, 0)
        require(first.kind == HEADER and first.end > 3 and data[0] == 0xD9, "no header")
        header = first.content()
        require(header.get("format", [0])[0] == 1, f"format {header.get('format')}, not 1.x")
    except (Torn, Broken) as error:
        raise Broken(f"not a trace: {error}") from None
    windows, pending, footer, why = [], [first], None, "the file ends without a footer"
    at = first.end
    while at < len(data):
        try:
            item = read_item(data, at)
            if item.kind == HEADER:
                raise Torn("a second header")
            if item.kind == COMMIT:
                windows.append(commit_window(item, pending, windows))
                pending = []
            elif item.kind == FOOTER:
                if item.end != len(data):
                    raise Torn("bytes behind the footer")
                footer, why = check_footer(item, data, windows), ""
            else:
                pending.append(item)
        except Torn as torn:
            why = f"{torn} (offset {at})"
            break
        at = item.end
    require(windows, "not a trace: window 0 has no valid commit")
    trace = Trace(header, first.recorded_at, windows, footer, why, len(data), len(pending))
    trace.unknown = sum(item.kind > DIGEST for window in windows for item in window.items)
    return trace


def check_footer(item, data, windows):
    """SPEC 12: the footer's own place, and its index of the windows."""
    footer = item.content()
    require(item.encoding == 0, "a packed footer")
    require(footer["at"] == item.start, "the footer is not where it says")
    require(list(footer)[-1] == "at", "the footer's last entry is not `at`")
    require(data[-9:] == b"\x1b" + struct.pack(">Q", item.start), "the footer's last nine bytes")
    index = footer["index"]
    require(uints(index["lengths"]) == [w.length for w in windows], "lengths in the index")
    require(uints(index["commits"]) == [w.commit for w in windows], "commits in the index")
    require(footer["position"] == (windows[-1].end if windows else 0), "the footer's position")
    return footer


# ---------------------------------------------------------- columns, SPEC section 4


def leb128(data, most):
    """All LEB128 values of a column, each below `most`."""
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            require(value < most, "a value out of range in a column")
            values.append(value)
            value = shift = 0
        else:
            require(shift < 70, "a value of more than ten bytes in a column")
    require(shift == 0, "a column ends inside a value")
    return values


def uints(data):
    return leb128(data, 1 << 53)


def deltas(data):
    words, word = [], 0
    for z in leb128(data, WORD):
        word = (word + ((z >> 1) ^ -(z & 1))) % WORD
        words.append(word)
    return words


def ascending(data):
    values, value = [], 0
    for step in uints(data):
        value += step
        values.append(value)
    return values


def exactly(column, count, name):
    require(len(column) == count, f"{name}: {len(column)} values instead of {count}")
    return column


# ---------------------------------------------------------- events, SPEC section 8

NAMES = {
    "type": ["sync", "irq", "fiq", "serror"],
    "access": ["read", "write", "execute"],
}


def columns_of(text):
    return dict(column.split(":") for column in text.split())


# Code: name and columns. The column types `flag`, `type` and `access` are bytes, printed as words.
MAINTENANCE = columns_of("operation:string value:delta")
KINDS = {
    0: (
        "exception",
        columns_of(
            "type:type retires:flag fromEl:byte toEl:byte vector:delta esr:delta far:delta"
            " elr:delta spsr:delta"
        ),
    ),
    1: ("eret", columns_of("fromEl:byte toEl:byte elr:delta spsr:delta illegal:flag")),
    2: (
        "tlb-fill",
        columns_of(
            "access:access va:delta pa:physical level:byte sizeLog2:byte asid:uint global:flag"
            " attributes:byte permissions:byte reads:byte"
        ),
    ),
    3: ("tlbi", MAINTENANCE),
    4: ("cache", MAINTENANCE),
    5: ("barrier", MAINTENANCE),
    6: ("sysreg", columns_of("register:string old:delta new:delta")),
    7: ("mmio", columns_of("write:flag address:physical size:byte value:delta")),
    8: ("console", columns_of("byte:byte")),
    9: ("hazard", columns_of("hazard:string address:delta")),
    10: ("unknown", columns_of("word:uint text:string")),
    11: ("reset", columns_of("reason:string")),
    12: ("turn", {}),
}
KNOWN = {name for name, _ in KINDS.values()}
DESCRIPTORS = columns_of("readLevel:byte readAddress:physical descriptor:delta")


def read_column(data, how, strings):
    """A column as a list of printable values."""
    if how == "byte":
        return list(data)
    if how == "uint":
        return uints(data)
    if how == "flag":
        require(all(byte < 2 for byte in data), "a boolean that is not 0 or 1")
        return [byte == 1 for byte in data]
    if how == "string" or how in NAMES:
        names, indices = (strings, uints(data)) if how == "string" else (NAMES[how], data)
        require(all(index < len(names) for index in indices), "a value that has no name")
        return [names[index] for index in indices]
    words = deltas(data)
    require(how == "delta" or all(word < 1 << 48 for word in words), "a physical address")
    return [hex(word) for word in words]


def read_events(content):
    """The events of one item as dictionaries. Kinds that are not known are left out."""
    count, kinds = content["count"], content["kind"]
    require(1 <= count <= 65536, "the number of events in an item")
    exactly(kinds, count, "kind")
    positions = ascending(exactly(content["position"], len(content["position"]), "position"))
    exactly(positions, count, "position")
    require(positions[0] == 0, "the first event's position is not `first`")
    cpus = exactly(uints(content["cpu"]), count, "cpu") if "cpu" in content else [0] * count
    pcs = exactly(deltas(content["pc"]), count, "pc")
    tables = {}
    for code in sorted(set(kinds) & set(KINDS)):
        name, columns = KINDS[code]
        require(name in content, f"no columns of {name}")
        table, number = content[name], kinds.count(code)
        rows = {
            column: exactly(read_column(table[column], how, content["strings"]), number, column)
            for column, how in columns.items()
        }
        if name == "tlb-fill":
            rows["descriptors"] = read_descriptors(table, rows["reads"])
        columned = zip(*rows.values()) if rows else [()] * number
        tables[code] = iter([dict(zip(rows, values)) for values in columned])
    events = []
    for code, position, cpu, pc in zip(kinds, positions, cpus, pcs):
        if code in tables:
            place = {"position": content["first"] + position, "cpu": cpu, "kind": KINDS[code][0]}
            events.append({**place, "pc": hex(pc), **next(tables[code])})
    return events


def read_descriptors(table, reads):
    """A fill owns the next `reads` values of the three columns about descriptors."""
    columns = {name: read_column(table[name], how, []) for name, how in DESCRIPTORS.items()}
    for name, column in columns.items():
        exactly(column, sum(reads), name)
    rows = iter([dict(zip(columns, values)) for values in zip(*columns.values())])
    return [[next(rows) for _ in range(number)] for number in reads]


def window_events(window):
    """All known events of a window; positions never descend and lie in the window."""
    events = [event for content in window.contents(EVENTS) for event in read_events(content)]
    last = window.start
    for event in events:
        require(last <= event["position"] < window.end, f"position of {event}")
        last = event["position"]
    return events


# ---------------------------------------------------------- flow, SPEC section 7


@dataclass(slots=True, eq=False)
class Block:
    regime: int
    kind: int
    pc: int
    steps: int
    code: bytes
    packed: bytes = b""

    def pcs(self):
        """The addresses of the block's instructions, as little-endian words."""
        if not self.packed:
            words = ((self.pc + 4 * i) % WORD for i in range(self.steps))
            self.packed = struct.pack(f"<{self.steps}Q", *words)
        return self.packed


def read_definitions(content, image):
    """The blocks that one flow item defines. `image` gives bytes of the memory at #0."""
    pcs, regimes, kinds = deltas(content["pcs"]), content["regimes"], content["kinds"]
    steps, code = content["steps"], content["code"]
    origins = deltas(content["origins"]) if "origins" in content else [0] * len(pcs)
    for column, name in (
        (regimes, "regimes"),
        (kinds, "kinds"),
        (steps, "steps"),
        (origins, "origins"),
    ):
        exactly(column, len(pcs), name)
    blocks, at = [], 0
    for regime, kind, pc, count, origin in zip(regimes, kinds, pcs, steps, origins):
        require(regime <= 3 and kind <= 7 and 1 <= count <= 64, "a block's definition")
        require(pc // PAGE == (pc + 4 * count - 1) // PAGE, "a block across the end of a page")
        if origin:
            address = (pc + origin - 1) % WORD
            require(address % 4 == 0 and address < (1 << 48) - PAGE, "a block's origin")
            words = image(address, 4 * count)
        else:
            words = bytes(code[at : at + 4 * count])
            at += 4 * count
        blocks.append(Block(regime, kind, pc, count, words))
    exactly(code, at, "code")
    return blocks


class BlockTable:
    """The blocks known at a window's end. Any window can be asked for, best in ascending order."""

    def __init__(self, windows, memory=None):
        self.windows, self.table, self.read, self.blocks = windows, 0, 0, []
        self.identities, self.memory = set(), memory

    def until(self, number):
        """The table in use in a window, and how many of its blocks are older than that window."""
        table, older = self._table_of(number), 0
        require(1 <= table <= number, f"table {table} in window {number}")
        if table != self.table or number <= self.read:
            self.table, self.read, self.blocks, self.identities = table, table - 1, [], set()
        while self.read < number:
            self.read += 1
            older = len(self.blocks)
            require(self._table_of(self.read) == table, "the table changes and comes back")
            for content in self.windows[self.read].contents(FLOW):
                self._add(read_definitions(content, self._image))
        return self.blocks, older

    def _image(self, address, length):
        """Bytes of the memory at #0."""
        if self.memory is None:
            self.memory = Memory()
            self.memory.apply(self.windows[0])
        return self.memory.at_start(address, length)

    def _table_of(self, number):
        tables = {content["table"] for content in self.windows[number].contents(FLOW)}
        require(len(tables) == 1, f"window {number} has {len(tables)} block tables")
        return tables.pop()

    def _add(self, blocks):
        for block in blocks:
            identity = (block.regime, block.pc, block.code)
            require(identity not in self.identities, "two blocks of one identity")
            self.identities.add(identity)
            self.blocks.append(block)


class Predictor:
    """SPEC 7, "The predictor". Absent entries of a dictionary are NONE, absent counters are 0."""

    def __init__(self, blocks, sequential):
        self.sequential, self.mask = sequential, 0xFFF if sequential else 0xFFFF
        self.kinds = [block.kind for block in blocks]
        self.counters, self.indirect = {}, {}
        self.stack, self.top = [None] * 64, 0
        self.first, self.second, self.after = {}, {}, {}
        self.history, self.index = 0, 0
        self.current = self.caller = None
        self.interrupted = False

    def predict(self):
        """The prediction, and the other successor of a conditional branch."""
        current = self.current
        if current is None:
            return None, None
        prediction, other = self._seen(current)
        if prediction is None and self.sequential:
            calm = not self.interrupted and self.kinds[current] == 6 and self.caller is not None
            prediction = (self.caller if calm else current) + 1
        return prediction, other

    def _seen(self, current):
        kind = self.kinds[current]
        hashed = (current * 0x9E3779B1 & 0xFFFFFFFF) >> 16
        first = self.first.get(current)
        if self.interrupted or kind in (4, 5, 7):
            self.index = (hashed ^ self.history << 8) & 0xFFFF
            return self.indirect.get(self.index, first), None
        if kind == 2:
            self.index = (hashed ^ self.history) & 0xFFFF
            second = self.second.get(current)
            if self.counters.get(self.index, 0) >= 2 and second is not None:
                return second, first
            return first, second
        if kind == 6 and self.caller is not None:
            return self.after.get(self.caller), None
        return first, None

    def advance(self, following):
        """Learns what really came."""
        current, kinds = self.current, self.kinds
        if current is not None:
            kind = kinds[current]
            if self.interrupted:
                self.indirect[self.index] = following
            elif kind in (4, 5, 7):
                self.indirect[self.index] = self.first[current] = following
            elif kind == 2:
                counter = self.counters.get(self.index, 0)
                outcome = int(self.first.get(current, following) != following)
                (self.second if outcome else self.first)[current] = following
                self.counters[self.index] = min(counter + 1, 3) if outcome else max(counter - 1, 0)
                self.history = (self.history << 1 | outcome) & self.mask
            elif kind == 6 and self.caller is not None:
                self.after[self.caller] = following
            else:
                self.first[current] = following
        self.current, self.interrupted = following, False
        if kinds[following] in (3, 5):
            self.top = (self.top + 1) % 64
            self.stack[self.top] = following
        if kinds[following] == 6:
            self.caller, self.stack[self.top] = self.stack[self.top], None
            self.top = (self.top + 63) % 64


def walk(window, blocks, older):
    """What a window executed: `(position, block, 0)` or `(position, None, exception entries)`."""
    position = window.start
    for block, entries in walk_blocks(window.contents(FLOW), blocks, older):
        yield position, block, entries
        position += entries or block.steps
    require(position == window.end, f"the flow of window {window.number} ends at #{position}")


def walk_blocks(flows, blocks, older):
    """SPEC 7, "decode a window": the blocks executed and, between them, `(None, entries)`."""
    require(all(content["cpu"] == 0 for content in flows), "a CPU that is not there")
    count = sum(content["blocks"] for content in flows)
    sequential = not any("runs" in content for content in flows)
    hits = "hits" if sequential else "runs"
    joined = {
        name: uints(b"".join(content[name] for content in flows))
        for name in (hits, "misses", "exceptions")
    }
    runs, misses, pairs = iter(joined[hits]), iter(joined["misses"]), joined["exceptions"]
    exactly(joined[hits], len(joined["misses"]), hits)
    require(len(pairs) % 2 == 0, "half a pair in exceptions")
    due, last = {}, 0
    for number, (gap, entries) in enumerate(zip(pairs[::2], pairs[1::2])):
        require(entries >= 1 and (gap >= 1 or number == 0), "a pair in exceptions")
        last += gap
        due[last] = entries
    require(last <= count, "exceptions behind the last block")

    fresh, predictor = older, Predictor(blocks, sequential)
    hits = next(runs, None)
    for number in range(count + 1):
        if number in due:
            predictor.interrupted = True
            yield None, due[number]
        if number == count:
            break
        prediction, other = predictor.predict()
        if hits is None or hits > 0:
            hits = hits and hits - 1
            block = prediction
            fresh += block == fresh
        else:
            miss = next(misses, None)
            require(miss is not None, "misses is too short")
            if miss < 2:
                block = (other, fresh)[miss]
            elif sequential:
                current = -1 if predictor.current is None else predictor.current
                block = current + (miss - 2 >> 1 ^ -(miss & 1))
            else:
                block = miss - 2
            fresh += miss == 1
            hits = next(runs, None)
        known = block is not None and 0 <= block < min(fresh, len(blocks))
        require(known, f"no block {block}")
        yield blocks[block], 0
        predictor.advance(block)
    require(not hits and next(misses, None) is None, "misses that are not used up")
    require(fresh == len(blocks), "definitions of blocks that are not executed")


# ---------------------------------------------------------- values, SPEC section 16


class Values:
    """The results of a window's instructions, given out block by block."""

    def __init__(self, items):
        column = {
            name: b"".join(bytes(item[name]) for item in items)
            for name in ("counts", "hits", "choices", "words")
        }
        self.counts, self.hits = iter(column["counts"]), iter(uints(column["hits"]))
        self.choices, self.words, self.at = iter(column["choices"]), column["words"], 0
        self.slots, self.first, self.count = {}, {}, 0
        self.values, self.differences = {}, {}
        self.recent = collections.deque([0] * 256, 256)
        self.run = next(self.hits, None)

    def block(self, block):
        """The results of a block, one tuple per instruction."""
        if block not in self.first:
            counts = [next(self.counts, 255) for _ in range(block.steps)]
            require(max(counts) <= 16, "counts of results")
            self.first[block] = self.count, counts
            self.count += sum(counts)
        slot, counts = self.first[block]
        results = []
        for count in counts:
            results.append(tuple(self._value(slot + n) for n in range(count)))
            slot += count
        return results

    def _value(self, index):
        last, stride, values, differences, confidence = self.slots.get(index, (0, 0, 0, 0, (0,) * 4))
        spread = (index * 0x9E3779B1 & 0xFFFFFFFF) >> 16
        predictions = (
            last,
            (last + stride) % WORD,
            self.values.get(values ^ spread, 0),
            (last + self.differences.get(differences ^ spread, 0)) % WORD,
        )
        if self.run is None or self.run > 0:
            self.run = self.run and self.run - 1
            value = predictions[confidence.index(max(confidence))]
        else:
            choice = next(self.choices, 13)
            require(choice < 13, "choices")
            if choice == 12:
                require(self.at < len(self.words), "words of values")
                value = self.recent[-1 - self.words[self.at]]
                self.at += 1
            elif choice < 4:
                value = predictions[choice]
            else:
                size = choice - 3
                z = int.from_bytes(self.words[self.at : self.at + size], "little")
                self.at += size
                value = (last + (z >> 1 ^ -(z & 1))) % WORD
            self.run = next(self.hits, None)
        difference = (value - last) % WORD
        self.recent.append(value)
        self.values[values ^ spread] = value
        self.differences[differences ^ spread] = difference
        learnt = tuple(
            min(c + 1, 15) if p == value else c >> 1 for c, p in zip(confidence, predictions)
        )
        histories = fold(values, value), fold(differences, difference)
        self.slots[index] = value, difference, *histories, learnt
        return value

    def finish(self):
        rest = [next(column, None) for column in (self.counts, self.hits, self.choices)]
        require(rest == [None] * 3 and self.run is None, "values that are not used up")
        require(self.at == len(self.words), "words of values")


def fold(history, word):
    return (history << 8 ^ word ^ word >> 16 ^ word >> 32 ^ word >> 48) & 0xFFFF


# ---------------------------------------------------------- memory, SPEC section 9


def state_hash(data, low, high):
    """Both lanes of `hash(words, low, high)`; `data` are the words, little-endian."""
    a = (0x9E3779B1 ^ low) * 0x9E3779B1 & 0xFFFFFFFF
    b = (0x85EBCA77 ^ low) * 0x27D4EB2F & 0xFFFFFFFF
    for word in (high, *struct.unpack(f"<{len(data) // 4}I", data)):
        a = a + word * 0x85EBCA77 & 0xFFFFFFFF
        a = (a << 13 | a >> 19) * 0x9E3779B1 & 0xFFFFFFFF
        b = b + word * 0xC2B2AE3D & 0xFFFFFFFF
        b = (b << 17 | b >> 15) * 0x27D4EB2F & 0xFFFFFFFF
    return a ^ a >> 15, b ^ b >> 15


def page_hash(space, number, data):
    if not any(data):
        return 0, 0
    return state_hash(data, number & 0xFFFFFFFF, (number >> 32) + (space + 1 << 24) & 0xFFFFFFFF)


def self_test():
    """The examples of sections 4, 7 and 9."""
    require(uints(b"\xac\x02") == [300] and deltas(b"\x08\x08\x07") == [4, 8, 4], "columns")
    columns = {
        "hits": "00 00 01 01 02",
        "misses": "01 02 01 05 00",
        "exceptions": "09 02",
        "regimes": "01 01 01",
        "kinds": "02 01 00",
        "steps": "03 01 02",
        "pcs": "80 80 c0 80 08 18 08",
        "origins": "00 00 00",
        "code": 24 * "00",
    }
    flow = {name: bytes.fromhex(column) for name, column in columns.items()}
    flow.update(cpu=0, table=1, blocks=10)
    blocks = read_definitions(flow, None)
    walked = [(blocks.index(b) if b else None, n) for b, n in walk_blocks([flow], blocks, 0)]
    expected = [(block, 0) for block in (0, 0, 0, 1, 2, 0, 0, 0, 1)] + [(None, 2), (2, 0)]
    require(walked == expected, f"the example of section 7: {walked}")
    first_byte = b"\1" + bytes(PAGE - 1)
    require(state_hash(b"", 0, 0) == (0xFB5BAF88, 0x9FA031BC), "state hash of nothing")
    require(
        state_hash(b"\1\2\3\4\5\0\0\0", 5, 0) == (0xD0F4BD99, 0x6C4B683C),
        "state hash of five bytes",
    )
    require(page_hash(0, 0x40000, first_byte) == (0x5350584A, 0x0C4769C7), "state hash of a page")


class Memory:
    """Physical memory and the TLB, window by window, and the sum of their pages' hashes."""

    def __init__(self):
        self.pages, self.hashes, self.without_base = {}, {}, {}
        self.sum, self.image = [0, 0], {}

    def apply(self, window):
        """Applies a window's `pages` items. Returns the changed pages as (space, number)."""
        changed = {}
        for content in window.contents(PAGES):
            for page, data in self._read(content):
                require(page not in changed, f"page {page} twice in window {window.number}")
                changed[page] = data
        for page, data in changed.items():
            require(data != self.pages.get(page, bytes(PAGE)), f"page {page} did not change")
            old, new = self.hashes.get(page, (0, 0)), page_hash(*page, data)
            self.sum = [(lane + n - o) % (1 << 32) for lane, n, o in zip(self.sum, new, old)]
            self.pages[page], self.hashes[page] = data, new
        if window.number == 0:
            self.image = dict(self.pages)
        return changed.keys()

    def at_start(self, address, length):
        """Bytes of the memory at #0."""
        first, last = address // PAGE, (address + length - 1) // PAGE
        pages = b"".join(self.image.get((0, n), bytes(PAGE)) for n in range(first, last + 1))
        return pages[address % PAGE : address % PAGE + length]

    def _read(self, content):
        """The pages of one item as they are at the window's end."""
        space = content["space"]
        if space > 1:
            return []
        numbers, bases = ascending(content["pages"]), content["bases"]
        require(all(a < b for a, b in zip(numbers, numbers[1:])), "pages that do not ascend")
        require(len(numbers) <= 4096, "more than 4096 pages in an item")
        bases = exactly(uints(bases), len(numbers), "bases")
        require(all(b <= i + 2 for i, b in enumerate(bases)), "a base that is no earlier page")
        copies = [i for i, base in enumerate(bases) if base == i + 2]
        sources = exactly(deltas(content.get("sources", b"")), len(copies), "sources")
        require(not sources or self.image, "a copy of the memory at #0 in window 0")
        valid = all(a % 4 == 0 and a <= (1 << 48) - PAGE for a in sources)
        require(valid, "a source that is no physical address")
        sources = dict(zip(copies, sources))
        bitmaps = exactly(content["lines"], 8 * len(numbers), "lines")
        masks, words = iter(content["masks"]), memoryview(content["words"])
        replaced, offset = [], 0
        for index in range(len(numbers)):
            bitmap = int.from_bytes(bitmaps[8 * index : 8 * index + 8], "little")
            places = {}
            for line in range(64):
                mask = next(masks, None) if bitmap >> line & 1 else 0
                require(mask is not None, "masks is too short")
                require(mask or not bitmap >> line & 1, "a changed line without changed words")
                for word in range(8):
                    if mask >> word & 1:
                        places[64 * line + 8 * word] = bytes(words[offset : offset + 8])
                        offset += 8
            replaced.append(places)
        require(next(masks, None) is None and offset == len(words), "masks or words is too long")
        done = {}
        # Pages that others are made from have base 1, so two passes are enough.
        for own in (True, False):
            for index, (number, base) in enumerate(zip(numbers, bases)):
                if (base < 2 or index in sources) == own:
                    page, copied = (space, number), sources.get(index)
                    done[index] = self._build(page, base, replaced[index], bases, done, copied)
        return [((space, number), done[index]) for index, number in enumerate(numbers)]

    def _build(self, page, base, places, bases, done, copied):
        self.without_base[page] = self.without_base.get(page, 0) + 1 if base == 0 else 0
        require(self.without_base[page] < 16, f"page {page} has no base for 16 times")
        data = bytearray(PAGE if base else self.pages.get(page, bytes(PAGE)))
        if copied is not None:
            data[:] = self.at_start(copied, PAGE)
        elif base >= 2:
            require(base - 2 < len(bases) and bases[base - 2] == 1, f"base {base} of page {page}")
            data[:] = done[base - 2]
        for offset, word in places.items():
            require(len(word) == 8, "words is too short")
            data[offset : offset + 8] = word
        return bytes(data)


def check_keyframe(window, memory, retired):
    """SPEC 9: the state hash, and what else the keyframe must agree with. Returns the CPU in turn, and all."""
    keyframe = window.only(KEYFRAME, "keyframe")
    require(keyframe["position"] == window.end, "the keyframe's position")
    require(sum(keyframe["retired"]) == retired, f"the keyframe's {keyframe['retired']} instructions")
    data = keyframe["state"]
    check_content(data)
    own = state_hash(data + bytes(-len(data) % 4), len(data), 0)
    stored = tuple((a + b) % (1 << 32) for a, b in zip(own, memory.sum))
    require(struct.pack(">II", *stored) == keyframe["hash"], f"state hash of {window.number}")
    size = keyframe["tlb"]
    for (space, number), page in memory.pages.items():
        if space == 1:
            require(not any(page[max(0, size - number * PAGE) :]), "bytes behind the TLB's end")
    state = load(data)
    cpus = state["cpus"]
    return cpus[state["turn"]["cpu"] if "turn" in state else 0], cpus


# ---------------------------------------------------------- a whole window


class Run:
    """Walks the windows in order and adds up what they executed."""

    def __init__(self, trace):
        self.trace, self.memory = trace, Memory()
        self.table = BlockTable(trace.windows, self.memory)
        self.retired = self.entries = self.blocks = 0
        self.counts, self.cpu, self.cpus = {}, None, []
        self.digests = {name: hashlib.sha256() for name in ("pcs", "words", "steps")}
        self.results = None

    def window(self, window):
        """Checks one window against all that the specification says of it. Returns its events."""
        if window.number == 0:
            image = window.only(IMAGE, "image")
            check_tables(window)
            self.memory.apply(window)
            self.cpu, self.cpus = check_keyframe(window, self.memory, 0)
            require(self.cpu["pc"] == image["pc"], "the first instruction's address")
            return []
        full = window.end - window.start == self.trace.header["windowSteps"]
        require(full or window is self.trace.windows[-1], f"window {window.number} is not full")
        check_inputs(window)
        if self.trace.header.get("profile") == "attach":
            return self._attached(window)
        events = window_events(window)
        executed = self._execute(window, events)
        changed = self.memory.apply(window)
        self.cpu, self.cpus = check_keyframe(window, self.memory, self.retired)
        self._check_summary(window, events, executed, changed)
        for event in events:
            self.counts[event["kind"]] = self.counts.get(event["kind"], 0) + 1
        return events

    def _attached(self, window):
        """SPEC 15: what is left of a window. Returns its events."""
        exactly(window.only(DIGEST, "digest")["hash"], 8, "digest")
        require(not window.contents(PAGES), "pages in profile attach")
        kept = {kind: bool(window.contents(kind)) for kind in (FLOW, SUMMARY)}
        require(kept[FLOW] == kept[SUMMARY], "a flow without a summary, or the other way")
        require(kept[FLOW] or not window.contents(EVENTS), "events without a flow")
        if not kept[FLOW]:
            return []
        events, self.cpu = window_events(window), None
        self._execute(window, events)
        for event in events:
            self.counts[event["kind"]] = self.counts.get(event["kind"], 0) + 1
        return events

    def _execute(self, window, events):
        """Adds the window's steps to the digests. Returns the set of blocks executed."""
        blocks, older = self.table.until(window.number)
        executed, remaining = set(), list(reversed(events))
        expected = self.cpu and self.cpu["pc"]
        values = Values(window.contents(VALUES)) if window.contents(VALUES) else None
        for position, block, entries in walk(window, blocks, older):
            end = position + (entries or block.steps)
            here = []
            while remaining and remaining[-1]["position"] < end:
                here.append(remaining.pop())
            if block is None:
                pcs = self._enter(position, entries, here)
                self.digests["steps"].update(struct.pack(f"<{entries}Q", *pcs))
                pc = pcs[0]
            else:
                self._check_events(position, block, here)
                self.retired += block.steps
                self.blocks += 1
                self.digests["pcs"].update(block.pcs())
                self.digests["steps"].update(block.pcs())
                self.digests["words"].update(block.code)
                if values:
                    self._add_results(values.block(block))
                executed.add(block)
                pc = block.pc
            if expected is not None:
                # A window begins where the keyframe before it says.
                require(pc == expected, f"the instruction at #{window.start}")
                expected = None
        if values:
            values.finish()
        return executed

    def _add_results(self, results):
        """The digest over results: per instruction how many words, then the words."""
        self.results = self.results or hashlib.sha256()
        for words in results:
            self.results.update(struct.pack(f"<B{len(words)}Q", len(words), *words))

    def _enter(self, position, entries, events):
        """SPEC 1, 7, 8: every entry of the flow is an exception event that retires nothing."""
        taken = [e for e in events if e["kind"] == "exception" and not e["retires"]]
        places = [event["position"] for event in taken]
        require(places == list(range(position, position + entries)), f"entries at #{position}")
        self.entries += entries
        for event in events:
            same = taken[event["position"] - position]["pc"] == event["pc"]
            require(same, f"the pc of {event}")
        return [int(event["pc"], 16) for event in taken]

    def _check_events(self, position, block, events):
        for event in events:
            step = event["position"] - position
            require(int(event["pc"], 16) == (block.pc + 4 * step) % WORD, f"the pc of {event}")
            kind = event["kind"]
            if kind == "exception":
                require(event["retires"], f"no entry in the flow for {event}")
            if kind in ("exception", "eret"):
                require(step == block.steps - 1 and block.kind == 7, f"{event} inside a block")
                require(event["fromEl"] == block.regime, f"the level of {event}")

    def _check_summary(self, window, events, executed, changed):
        """SPEC 11."""
        summary = window.only(SUMMARY, "summary")
        counts = {}
        for event in events:
            counts[event["kind"]] = counts.get(event["kind"], 0) + 1
        known = {name: n for name, n in summary["events"].items() if name in KNOWN}
        require(known == counts, f"events in the summary: {known}")
        levels = sum(1 << level for level in {block.regime for block in executed})
        require(summary["levels"] == levels, "levels in the summary")
        level = [cpu["pstate"] >> 2 & 3 for cpu in self.cpus]
        require(summary["level"] == level, "level in the summary")
        enabled = [bool(cpu["system"]["SCTLR_EL1"] & 1) for cpu in self.cpus]
        require(summary["mmu"] == enabled, "mmu in the summary")
        pages = {}
        for block in executed:
            for line in range(block.pc // 64, (block.pc + 4 * block.steps - 1) // 64 + 1):
                pages[line // 64] = pages.get(line // 64, 0) | 1 << line % 64
        order = sorted(pages)
        require(ascending(summary["executedPages"]) == order, "executedPages in the summary")
        bitmaps = b"".join(pages[page].to_bytes(8, "little") for page in order)
        require(summary["executedLines"] == bitmaps, "executedLines in the summary")
        written = ascending(summary["written"])
        require(written == sorted(set(written)), "written in the summary")
        missing = {number for space, number in changed if space == 0} - set(written)
        require(not missing, f"pages that changed and were not written: {sorted(missing)[:5]}")

    def check_footer(self):
        footer = self.trace.footer
        if footer is not None and self.trace.header.get("profile") != "attach":
            require(sum(footer["retired"]) == self.retired, "retired in the footer")
            known = {name: n for name, n in footer["events"].items() if name in KNOWN}
            require(known == self.counts, f"events in the footer: {known}")


def check_tables(window):
    """SPEC 6: the columns of symbols and lines fit each other."""
    for content in window.contents(SYMBOLS):
        count, lengths = content["count"], uints(content["lengths"])
        for name, column in (
            ("lengths", lengths),
            ("addresses", deltas(content["addresses"])),
            ("sizes", uints(content["sizes"])),
            ("types", content["types"]),
        ):
            exactly(column, count, f"symbols: {name}")
        names, at = content["names"], 0
        exactly(names, sum(lengths), "symbols: names")
        for length in lengths:
            str(names[at : at + length], "utf-8")
            at += length
    for content in window.contents(LINES):
        files = exactly(uints(content["file"]), content["count"], "lines: file")
        exactly(deltas(content["addresses"]), content["count"], "lines: addresses")
        exactly(uints(content["line"]), content["count"], "lines: line")
        require(all(index < len(content["files"]) for index in files), "lines: a file's index")


def check_inputs(window):
    """SPEC 10."""
    for content in window.contents(INPUT):
        count = content["count"]
        positions = exactly(ascending(content["position"]), count, "input: position")
        sources = exactly(uints(content["source"]), count, "input: source")
        lengths = exactly(uints(content["length"]), count, "input: length")
        exactly(content["bytes"], sum(lengths), "input: bytes")
        require(all(source < len(content["sources"]) for source in sources), "input: source")
        ends = [content["first"] + position for position in positions]
        require(all(window.start <= p < window.end for p in ends), "input: position")


# ---------------------------------------------------------- printing


def show(value):
    print(json.dumps(value))


def show_steps(trace, start, end):
    """The steps of a range. Only the windows concerned are decoded, with their block table."""
    table = BlockTable(trace.windows)
    for window in trace.windows[1:]:
        if window.end <= start or window.start >= end:
            continue
        for position, block, entries in walk(window, *table.until(window.number)):
            for step in range(entries or block.steps):
                if not start <= position + step < end:
                    continue
                line = {"kind": "entry" if entries else "step", "position": position + step}
                if block:
                    word = int.from_bytes(block.code[4 * step : 4 * step + 4], "little")
                    pc = (block.pc + 4 * step) % WORD
                    line.update(el=block.regime, pc=hex(pc), word=hex(word))
                show(line)


def show_trace(trace):
    show(
        {
            "kind": "trace",
            "state": "complete" if trace.footer else "truncated",
            "why": trace.why,
            "format": trace.header["format"],
            "recorder": trace.header["recorder"],
            "recordedAt": trace.recorded_at,
            "image": trace.header["image"]["name"],
            "bytes": trace.size,
            "profile": trace.header.get("profile", "full"),
            "windows": len(trace.windows),
            "end": trace.end,
            "ignoredItems": trace.ignored,
            "unknownItems": trace.unknown,
            "reason": trace.footer["reason"] if trace.footer else None,
        }
    )


def main():
    parser = argparse.ArgumentParser(description="Decodes and checks an unboot trace.")
    parser.add_argument("trace", help="the trace to read")
    parser.add_argument(
        "--events",
        choices=("main", "all", "none"),
        default="main",
        help="main: exceptions, device accesses, console (the default)",
    )
    parser.add_argument(
        "--steps",
        nargs=2,
        type=int,
        metavar=("FROM", "TO"),
        help="print the steps of [FROM, TO) and nothing else",
    )
    parser.add_argument("--index", action="store_true", help="print the windows, too")
    options = parser.parse_args()
    wanted = {
        "main": {"exception", "mmio", "console"},
        "all": KNOWN,
        "none": set(),
    }[options.events]
    try:
        self_test()
        with open(options.trace, "rb") as file:
            trace = scan(file.read())
        if options.steps:
            show_steps(trace, *options.steps)
            return 0
        show_trace(trace)
        run = Run(trace)
        for window in trace.windows:
            events = run.window(window)
            if options.index:
                place = {"start": window.start, "end": window.end, "items": len(window.items)}
                show({"kind": "window", "window": window.number, **place})
            for event in events:
                if event["kind"] in wanted:
                    show(event)
        run.check_footer()
    except (Broken, OSError) as error:
        print(f"{options.trace}: {error}", file=sys.stderr)
        return 1
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, StopIteration) as error:
        # A field is missing or of another type. A checker may say so in Python's words.
        print(f"{options.trace}: a field: {error!r}", file=sys.stderr)
        return 1
    digests = {name: digest.hexdigest() for name, digest in run.digests.items()}
    if run.results:
        digests["results"] = run.results.hexdigest()
    totals = {"instructions": run.retired, "entries": run.entries, "blocks": run.blocks}
    show({"kind": "executed", **totals, "events": run.counts, "sha256": digests})
    return 0 if trace.footer else 3


if __name__ == "__main__":
    sys.exit(main())
