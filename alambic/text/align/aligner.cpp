#include "alambic/text/align/aligner.h"

#include <algorithm>

#include "alambic/base/error.h"

namespace alambic {

namespace {

struct Written {
  std::string bytes;
  std::vector<int64_t> ends;  // of the tokens
};

Written written(std::span<const int32_t> tokens, const VocabularyBytes& vocabulary) {
  Written text;
  for (const int32_t id : tokens) {
    text.bytes += vocabulary.of(id);
    text.ends.push_back(std::ssize(text.bytes));
  }
  return text;
}

}  // namespace

Aligner::Aligner(AlignedTokenizer student, AlignedTokenizer teacher)
    : student_(std::move(student)),
      teacher_(std::move(teacher)),
      student_bytes_(std::make_shared<VocabularyBytes>(student_.tokenizer, student_.name)),
      teacher_bytes_(std::make_shared<VocabularyBytes>(teacher_.tokenizer, teacher_.name)) {
  if (teacher_.ends.empty()) {
    throw input_error("{} has no token that ends a completion", teacher_.name)
        .with_hint("set eos_token_id in its config.json");
  }
}

std::optional<int32_t> Aligner::partner_of(int32_t student_token) const {
  if (!student_bytes_->of(student_token).empty()) return std::nullopt;
  const std::string name = student_.tokenizer.token_of(student_token);
  const auto partner = name.empty() ? std::nullopt : teacher_.tokenizer.id_of(name);
  if (!partner || !teacher_bytes_->of(*partner).empty()) return std::nullopt;
  const bool ends = std::ranges::count(student_.ends, student_token) > 0 ||
                    std::ranges::count(teacher_.ends, *partner) > 0;
  return ends ? std::nullopt : partner;
}

// A stretch of the student's tokens that write text; `begin` is the place of its first one.
void Aligner::align_text(std::span<const int32_t> tokens, int64_t begin,
                         Alignment& alignment) const {
  if (tokens.empty()) return;
  const Written own = written(tokens, *student_bytes_);
  const std::vector<int32_t> ids = teacher_.tokenizer.encode_continuation(own.bytes);
  const Written other = written(ids, *teacher_bytes_);
  const int64_t teacher_begin = std::ssize(alignment.teacher);
  for (TokenSpan span : token_spans(own.ends, other.ends, equal_bytes(own.bytes, other.bytes))) {
    span.student_begin += begin;
    span.student_end += begin;
    span.teacher_begin += teacher_begin;
    span.teacher_end += teacher_begin;
    alignment.spans.push_back(span);
  }
  alignment.teacher.insert(alignment.teacher.end(), ids.begin(), ids.end());
}

Alignment Aligner::align(std::span<const int32_t> completion) const {
  Alignment alignment;
  const auto pair = [&](int64_t place, int32_t token) {
    const int64_t teacher = std::ssize(alignment.teacher);
    alignment.teacher.push_back(token);
    alignment.spans.push_back({place, place + 1, teacher, teacher + 1});
  };
  const int64_t length = std::ssize(completion);
  alignment.ended = length > 0 && std::ranges::count(student_.ends, completion.back()) > 0;
  const int64_t body = length - (alignment.ended ? 1 : 0);
  int64_t begin = 0;
  for (int64_t i = 0; i <= body; ++i) {
    if (i < body && !student_bytes_->of(completion[i]).empty()) continue;
    align_text(completion.subspan(begin, i - begin), begin, alignment);
    begin = i + 1;
    if (i == body) break;
    if (const auto partner = partner_of(completion[i])) pair(i, *partner);
  }
  if (alignment.ended) pair(body, teacher_.ends.front());
  alignment.masked = length;
  for (const TokenSpan& span : alignment.spans) {
    alignment.masked -= span.student_end - span.student_begin;
  }
  return alignment;
}

}  // namespace alambic
