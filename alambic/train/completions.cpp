#include "alambic/train/completions.h"

#include <algorithm>
#include <array>
#include <set>

#include "alambic/teacher/aligned.h"
#include "alambic/text/align/span_texts.h"
#include "alambic/text/chat/continuation.h"
#include "alambic/train/joint_writing.h"

namespace alambic {

Rollouts given_rollouts(const std::vector<TokenizedExample>& examples, at::Device device) {
  std::vector<Request> requests;
  std::vector<Completion> completions;
  for (const TokenizedExample& example : examples) {
    requests.push_back({.prompt = example.prompt});
    completions.push_back({.tokens = *example.completion,
                           .logp = std::vector<float>(example.completion->size(), 0.0f),
                           .ending = Ending::stop_token});
  }
  return to_rollouts(requests, completions, 0, device);
}

namespace {

double total_length(const std::vector<Completion>& completions) {
  double tokens = 0;
  for (const Completion& completion : completions)
    tokens += static_cast<double>(completion.tokens.size());
  return tokens;
}

double mean_length(const std::vector<Completion>& completions) {
  return total_length(completions) / static_cast<double>(completions.size());
}

double eos_share(const std::vector<Completion>& completions) {
  const auto ended = std::ranges::count(completions, Ending::stop_token, &Completion::ending);
  return static_cast<double>(ended) / static_cast<double>(completions.size());
}

/// Share of a completion's 4-grams that it has had before; 0 where it has none.
double repetition(const std::vector<int32_t>& tokens) {
  std::set<std::array<int32_t, 4>> seen;
  int64_t repeated = 0;
  for (size_t i = 0; i + 4 <= tokens.size(); ++i) {
    repeated += !seen.insert({tokens[i], tokens[i + 1], tokens[i + 2], tokens[i + 3]}).second;
  }
  const auto count = static_cast<int64_t>(seen.size()) + repeated;
  return count == 0 ? 0 : static_cast<double>(repeated) / static_cast<double>(count);
}

double mean_repetition(const std::vector<Completion>& completions) {
  double sum = 0;
  for (const Completion& completion : completions) sum += repetition(completion.tokens);
  return sum / static_cast<double>(completions.size());
}

// Prompt for a reader: a conversation as messages, not as its template writes it.
nlohmann::ordered_json shown_prompt(const TokenizedRows& examples, int64_t row,
                                    const Tokenizer& tokenizer) {
  if (const auto chat = examples.chat(row)) return prompt_messages(*chat);
  return tokenizer.decode(examples[row].prompt, true);
}

// A loss is divided by what its teachers compare in the whole step: tokens, or spans of them.
void count_graded(const CompletionSource& source, StepBatch& completions) {
  const TeacherMixture& teachers = source.teachers;
  for (const MicroBatch& batch : completions.micro_batches) {
    const auto& members = teachers.members(teachers.group_of(batch.rollouts.row_S.front()));
    completions.graded.resize(std::max(completions.graded.size(), members.size()), 0);
    for (size_t i = 0; i < members.size(); ++i) {
      completions.graded[i] += members[i].teacher->graded(batch.rollouts);
    }
  }
  completions.graded = source.world.sum(completions.graded, "counting what is compared");
}

/// Cuts this rank's part of the rows into micro-batches, each made by `rollouts(first, count)`.
/// `copies` rows in a row are of one prompt and stay together.
template <class Make>
StepBatch pieces(const CompletionSource& source, const std::vector<int64_t>& rows, int64_t copies,
                 const Make& make) {
  const World& world = source.world;
  const int64_t prompts = std::ssize(rows) / copies;
  const int64_t own = world.begin(prompts) * copies;
  const std::vector<int64_t> own_rows(rows.begin() + own,
                                      rows.begin() + world.end(prompts) * copies);
  StepBatch completions{.sequences = std::ssize(rows)};
  for (const auto& [first, count, group] :
       source.teachers.pieces(own_rows, source.micro_batch_size)) {
    Rollouts rollouts = make(own + first, count);
    rollouts.row_S.assign(own_rows.begin() + first, own_rows.begin() + first + count);
    completions.tokens += rollouts.completion_mask_N.sum().item<int64_t>();
    completions.micro_batches.push_back({.rollouts = std::move(rollouts)});
  }
  completions.tokens = world.sum(completions.tokens, "counting tokens");
  count_graded(source, completions);
  return completions;
}

}  // namespace

StepBatch CompletionSource::given(const std::vector<int64_t>& rows) const {
  return pieces(*this, rows, 1, [&](size_t first, size_t count) {
    std::vector<TokenizedExample> chosen;
    for (size_t i = first; i < first + count; ++i) chosen.push_back(examples[rows[i]]);
    return given_rollouts(chosen, device);
  });
}

namespace {

// The first of a row's teachers that has a tokenizer of its own; null: none has.
const AlignedTeacher* aligned_teacher(const TeacherMixture& teachers, int64_t row) {
  if (teachers.groups() == 0) return nullptr;
  for (const WeightedTeacher& member : teachers.members(teachers.group_of(row))) {
    const auto* aligned = dynamic_cast<const AlignedTeacher*>(member.teacher.get());
    if (aligned != nullptr) return aligned;
  }
  return nullptr;
}

// A token that both have as its text, any other span as the tokens of both, a masked token without
// the teacher's.
nlohmann::ordered_json shown_spans(const Aligner& aligner, const std::vector<int32_t>& completion) {
  constexpr size_t most = 500;
  nlohmann::ordered_json spans = nlohmann::ordered_json::array();
  for (const SpanTexts& span : span_texts(aligner, completion, most)) {
    if (span.student.size() == 1 && span.student == span.teacher) {
      spans.push_back(span.student.front());
    } else {
      spans.push_back({span.student, span.teacher});
    }
  }
  return spans;
}

}  // namespace

StepBatch write_completions(const CompletionSource& source, const Model& student,
                            const Tokenizer& tokenizer, const std::vector<int64_t>& rows,
                            int64_t count, const EngineOptions& engine, int64_t samples,
                            StepReport& report) {
  std::vector<Request> requests;
  std::vector<int64_t> row_S;
  for (const int64_t row : rows) {
    const std::vector<int32_t> prompt = source.examples[row].prompt;
    for (int64_t g = 0; g < count; ++g) {
      requests.push_back({.prompt = prompt, .id = requests.size()});
      row_S.push_back(row);
    }
  }
  const std::vector<Completion> completions =
      write_on_ranks(source.world, student, requests, count, engine);
  report.extra = {{"completion_length", mean_length(completions)},
                  {"generated_tokens", total_length(completions)},
                  {"eos_share", eos_share(completions)},
                  {"repetition", mean_repetition(completions)}};
  const size_t kept = std::min<size_t>(completions.size(), samples);
  const auto step = static_cast<int64_t>(engine.step);
  for (size_t i = 0; i < kept; ++i) {
    report.samples.push_back(
        {{"step", step + 1},  // from 1, as metrics count
         {"prompt", shown_prompt(source.examples, row_S[i], tokenizer)},
         {"completion", continuation(tokenizer, requests[i].prompt, completions[i].tokens)}});
    if (const auto* aligned = aligned_teacher(source.teachers, row_S[i])) {
      report.samples.back()["spans"] = shown_spans(aligned->aligner(), completions[i].tokens);
    }
  }
  return pieces(source, row_S, count, [&](size_t first, size_t size) {
    return to_rollouts(std::span(requests).subspan(first, size),
                       std::span(completions).subspan(first, size), step, source.device);
  });
}

}  // namespace alambic
