#include "alambic/train/long_rows.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/train/examples.h"

namespace alambic {

namespace {

constexpr const char* remedy =
    "shorten or remove this row; --on-long-row skip or truncate does so with all";

}  // namespace

bool RowFit::fit(const std::string& place, TokenizedExample& row) {
  if (row.prompt.empty()) throw input_error("{}: the prompt is empty", place);
  if (row.completion && row.completion->empty()) {
    throw input_error("{}: the completion is empty", place)
        .with_hint("the tokenizer names no end-of-text token that could be learned instead");
  }
  const int64_t prompt = std::ssize(row.prompt);
  const int64_t length = prompt + (row.completion ? std::ssize(*row.completion) : 0);
  const bool room = prompt < positions;
  if (room && length <= positions) {
    ++kept;
    return true;
  }
  if (on_long_row == OnLongRow::error && !room) {
    throw input_error(
        "{}: the prompt has {} tokens, but the model's context is {} and the completion needs room",
        place, prompt, positions)
        .with_hint(remedy);
  }
  if (on_long_row == OnLongRow::error) {
    throw input_error(
        "{}: prompt and completion have {} tokens together, but the model's context is {}", place,
        length, positions)
        .with_hint(remedy);
  }
  if (first.empty()) first = place;
  longest = std::max(longest, length);
  bool learns = room && on_long_row == OnLongRow::truncate;
  if (learns) {
    row.completion->resize(positions - prompt);
    if (!row.learned.empty()) row.learned.resize(row.completion->size());
    learns = row.learned.empty() || std::ranges::find(row.learned, true) != row.learned.end();
  }
  ++(learns ? truncated : skipped);
  kept += learns;
  return learns;
}

void RowFit::report(const std::string& name) const {
  const int64_t rows = kept + skipped;
  if (skipped + truncated > 0) {
    say("{}: of {} rows {} are left out and {} cut, since the context is {} tokens; the first is "
        "{}, the longest has {}",
        name, rows, skipped, truncated, positions, first, longest);
  }
  if (kept == 0 && rows > 0) {
    throw input_error("{}: all {} rows are longer than the model's context of {} tokens", name,
                      rows, positions);
  }
}

}  // namespace alambic
