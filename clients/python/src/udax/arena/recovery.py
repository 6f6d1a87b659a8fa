"""Builds the lists, counts, heap and index of a part anew from its slots (docs/arena.md)."""

from __future__ import annotations

import time
from typing import Dict, List, Tuple

from .layout import (
    BUCKET_ENTRIES,
    BUCKET_SIZE,
    BUCKET_TAGS,
    BUCKET_WORDS,
    CHECK,
    COMMITTED,
    CONTROL,
    DEAD,
    EPOCH,
    EXPIRY,
    FREE,
    HASH_A,
    HASH_B,
    INCARNATION,
    KEY_BYTES,
    MEMBER,
    RESERVED,
    SEQUENCE,
    UNIT,
    VERSION_OF,
    check_of,
)
from .part import Part

_QUARANTINE_LEASES = 10


def is_reservation_live(part: Part, slot: int) -> bool:
    """Whether a reservation is still somebody's: its member lives, or its quarantine is not over."""
    word = part.word(slot)
    member = part.words[word + MEMBER]
    if member == 0:
        return time.time() * 1000 < part.u64(word + EXPIRY)
    return part.members.is_living(member - 1, part.words[word + INCARNATION])


def rebuild(part: Part, taken_over: bool = False) -> None:
    """The caller has the writers' lock."""
    words, geometry = part.words, part.geometry
    if taken_over:
        part.members.clear_all()
    else:
        part.members.clear_dead()
    high = 0
    found: List[int] = []
    for slot in range(geometry.slots):
        state = words[part.word(slot)]
        if state:
            high = slot + 1
        if state & 7 != FREE:
            found.append(slot)
    part.set("slot_high", high)
    for slot in found if taken_over else ():
        _stamp(part, slot)
    kept = _without_rivals(part, _without_overlaps(part, [slot for slot in found if _is_sound(part, slot)]))
    part.heap.rebuild([(words[part.word(s) + UNIT], part.units_of(part.word(s)), s, part.word(s)) for s in kept])
    _relink(part, high, kept)


def _stamp(part: Part, slot: int) -> None:
    word = part.word(slot)
    part.words[word + EPOCH] = part.get("epoch")
    if part.kind(slot) == RESERVED and part.words[word + MEMBER]:
        part.words[word + MEMBER] = 0
        part.set_u64(word + EXPIRY, int(time.time() * 1000) + _QUARANTINE_LEASES * part.geometry.lease_ms)


def _is_sound(part: Part, slot: int) -> bool:
    words, word, kind = part.words, part.word(slot), part.kind(slot)
    if kind > DEAD or not 1 <= words[word + KEY_BYTES] <= part.geometry.max_key:
        return False
    units = part.units_of(word)
    if units < 1 or words[word + UNIT] + units > part.geometry.units:
        return False
    if kind == COMMITTED:
        return bool(words[word + CHECK] == check_of(words, word))
    if kind == DEAD:
        return slot in part.members.pinned()
    return is_reservation_live(part, slot)


def _without_overlaps(part: Part, slots: List[int]) -> List[int]:
    def rank(slot: int) -> int:
        return 0 if part.kind(slot) == COMMITTED else 1

    slots.sort(key=lambda slot: (part.words[part.word(slot) + UNIT], rank(slot)))
    kept: List[int] = []
    end = 0
    for slot in slots:
        word = part.word(slot)
        if part.words[word + UNIT] >= end:
            kept.append(slot)
        elif rank(slot) < rank(kept[-1]):
            kept[-1] = slot
        else:
            continue
        end = part.words[word + UNIT] + part.units_of(word)
    return kept


def _without_rivals(part: Part, slots: List[int]) -> List[int]:
    newest: Dict[bytes, Tuple[int, int]] = {}
    for slot in slots:
        if part.kind(slot) == COMMITTED:
            word = part.word(slot)
            key, version = part.key_of(word), part.words[word + VERSION_OF]
            if key not in newest or version > newest[key][0]:
                newest[key] = version, slot
    return [slot for slot in slots if part.kind(slot) != COMMITTED or newest[part.key_of(part.word(slot))][1] == slot]


def _relink(part: Part, high: int, kept: List[int]) -> None:
    words = part.words
    for name in (
        "free_slot", "committed", "order_head", "order_tail", "sequence", "limbo_head", "used_units", "reserved_units",
        "limbo_units", "reserved", "limbo", "tombstones", "clock_steps",
    ):  # fmt: skip
        part.set(name, 0)
    part.set_u64(part.control + CONTROL["next_expiry"], 0)
    stays = set(kept)
    for slot in range(high - 1, -1, -1):
        if slot not in stays:
            words[part.word(slot)] = words[part.word(slot)] & ~7 & 0xFFFFFFFF
            part.put_back(slot)
    committed = sorted((s for s in kept if part.kind(s) == COMMITTED), key=lambda s: words[part.word(s) + SEQUENCE])
    _mend_index(part, committed)
    for slot in kept:
        word = part.word(slot)
        if part.kind(slot) == DEAD:
            part.to_limbo(slot)
        elif part.kind(slot) == RESERVED:
            part.add("reserved", 1)
            part.add("reserved_units", part.units_of(word))
    dues = []
    for slot in committed:
        part.add("committed", 1)
        part.add("used_units", part.units_of(part.word(slot)))
        part.append(slot)
        dues.append(part.u64(part.word(slot) + EXPIRY))
    part.set_u64(part.control + CONTROL["next_expiry"], min((due for due in dues if due), default=0))
    if committed:
        part.set("sequence", words[part.word(committed[-1]) + SEQUENCE] + 1)


def _mend_index(part: Part, committed: List[int]) -> None:
    words, geometry = part.words, part.geometry
    first, mask = part.control + geometry.index_word, geometry.buckets - 1
    missing = set(committed)
    overflow = [0] * geometry.buckets
    for bucket in range(geometry.buckets):
        at = first + bucket * BUCKET_WORDS
        for i in range(BUCKET_SIZE):
            slot = words[at + BUCKET_ENTRIES + i] - 1
            if slot < 0:
                continue
            if slot not in missing or words[part.word(slot) + HASH_B] != words[at + BUCKET_TAGS + i]:
                words[at + BUCKET_ENTRIES + i] = 0
                continue
            missing.discard(slot)
            home = words[part.word(slot) + HASH_A] & mask
            while home != bucket:
                overflow[home] += 1
                home = home + 1 & mask
    for bucket, count in enumerate(overflow):
        words[first + bucket * BUCKET_WORDS] = count
    for slot in missing:
        part.insert(words[part.word(slot) + HASH_A], words[part.word(slot) + HASH_B], slot)
