#include "alambic/train/tokenized_rows.h"

#include <algorithm>

namespace alambic {

namespace {

// A row as numbers: how many tokens its prompt has, its completion (-1: none) and its mask, then
// the tokens, then the mask.
constexpr int64_t header = 3;

}  // namespace

TokenizedRows::TokenizedRows(const std::vector<TokenizedExample>& rows) {
  for (const TokenizedExample& row : rows) {
    chats_.push_back(row.chat);
    add(row, places_.size());
  }
}

TokenizedRows TokenizedRows::of(const Examples& rows, const Tokenizer& tokenizer, RowFit& fit,
                                TurnCounts* turns) {
  TokenizedRows tokenized;
  tokenized.source_ = rows;
  for (size_t r = 0; r < rows.size(); ++r) {
    const std::vector<Example> row = {rows[r]};
    if (turns != nullptr) turns->add(row.front());
    for (const TokenizedExample& example : tokenize(row, tokenizer, fit)) tokenized.add(example, r);
  }
  return tokenized;
}

TokenizedRows TokenizedRows::emptied() const {
  TokenizedRows rows;
  rows.source_ = source_;
  rows.chats_ = chats_;
  return rows;
}

void TokenizedRows::add(const TokenizedExample& example, size_t row) {
  places_.push_back({spool_.size(), static_cast<uint32_t>(row)});
  const auto& completion = example.completion;
  std::vector<int32_t> numbers = {static_cast<int32_t>(example.prompt.size()),
                                  completion ? static_cast<int32_t>(completion->size()) : -1,
                                  static_cast<int32_t>(example.learned.size())};
  numbers.insert(numbers.end(), example.prompt.begin(), example.prompt.end());
  if (completion) numbers.insert(numbers.end(), completion->begin(), completion->end());
  for (const bool learned : example.learned) numbers.push_back(learned ? 1 : 0);
  spool_.add(numbers);
}

TokenizedExample TokenizedRows::operator[](int64_t i) const {
  int64_t at = places_[i].at;
  const std::vector<int32_t> counts = spool_.read(at, header);
  at += header;
  TokenizedExample example;
  example.prompt = spool_.read(at, counts[0]);
  at += counts[0];
  if (counts[1] >= 0) {
    example.completion = spool_.read(at, counts[1]);
    at += counts[1];
  }
  for (const int32_t learned : spool_.read(at, counts[2])) example.learned.push_back(learned != 0);
  return example;
}

std::vector<RowShare> TokenizedRows::shares(std::vector<RowShare> of_rows) const {
  size_t begin = 0;
  for (RowShare& share : of_rows) {
    const size_t end = begin + static_cast<size_t>(share.rows);
    share.rows = std::ranges::count_if(
        places_, [&](const Place& place) { return place.row >= begin && place.row < end; });
    begin = end;
  }
  return of_rows;
}

std::vector<uint32_t> TokenizedRows::rows() const {
  std::vector<uint32_t> rows;
  for (const Place& place : places_) rows.push_back(place.row);
  return rows;
}

std::shared_ptr<const Chat> TokenizedRows::chat(int64_t i) const {
  if (!source_) return row(i) < chats_.size() ? chats_[row(i)] : nullptr;
  return (*source_)[row(i)].chat;
}

}  // namespace alambic
