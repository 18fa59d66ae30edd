#include "alambic/text/align/pair_facts.h"

#include <algorithm>
#include <unordered_set>

namespace alambic {

namespace {

using Strings = std::unordered_set<std::string>;

Strings strings_of(const VocabularyBytes& vocabulary) {
  Strings strings;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    if (!vocabulary.of(id).empty()) strings.insert(vocabulary.of(id));
  }
  return strings;
}

int64_t texts_in(const VocabularyBytes& vocabulary) {
  int64_t count = 0;
  for (int32_t id = 0; id < vocabulary.size(); ++id) count += !vocabulary.of(id).empty();
  return count;
}

int64_t unreachable(const Tokenizer& tokenizer, const VocabularyBytes& vocabulary) {
  int64_t count = 0;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const std::string& bytes = vocabulary.of(id);
    if (bytes.empty()) continue;
    const std::vector<int32_t> ids = tokenizer.encode_continuation(bytes);
    count += ids.size() != 1 || ids.front() != id;
  }
  return count;
}

std::vector<std::string> names_of(const AlignedTokenizer& side) {
  std::vector<std::string> names;
  for (const int32_t id : side.ends) names.push_back(side.tokenizer.token_of(id));
  return names;
}

int64_t tokens_of(const TokenSpan& span) {
  return span.student_end - span.student_begin + span.teacher_end - span.teacher_begin;
}

void add_text(const Aligner& aligner, const std::string& text, PairFacts& facts) {
  const std::vector<int32_t> ids = aligner.student().tokenizer.encode_continuation(text);
  const Alignment alignment = aligner.align(ids);
  facts.tokens += std::ssize(ids);
  facts.masked += alignment.masked;
  facts.spans += std::ssize(alignment.spans);
  for (const TokenSpan& span : alignment.spans) {
    facts.one_to_one += tokens_of(span) == 2;
    if (tokens_of(span) > tokens_of(facts.longest)) facts.longest = span;
  }
}

}  // namespace

PairFacts pair_facts(const Aligner& aligner, const std::vector<std::string>& texts) {
  const VocabularyBytes &student = aligner.student_bytes(), &teacher = aligner.teacher_bytes();
  PairFacts facts{.student_tokens = texts_in(student), .teacher_tokens = texts_in(teacher)};
  const Strings of_teacher = strings_of(teacher);
  for (const std::string& bytes : strings_of(student)) facts.common += of_teacher.contains(bytes);
  facts.student_unreachable = unreachable(aligner.student().tokenizer, student);
  facts.teacher_unreachable = unreachable(aligner.teacher().tokenizer, teacher);
  for (int32_t id = 0; id < student.size(); ++id) {
    const bool ends = std::ranges::count(aligner.student().ends, id) > 0;
    const std::string token = aligner.student().tokenizer.token_of(id);
    if (ends || token.empty() || !student.of(id).empty()) continue;
    (aligner.partner_of(id) ? facts.paired : facts.unpaired).push_back(token);
  }
  facts.student_ends = names_of(aligner.student());
  facts.teacher_ends = names_of(aligner.teacher());
  for (const std::string& text : texts) add_text(aligner, text, facts);
  return facts;
}

}  // namespace alambic
