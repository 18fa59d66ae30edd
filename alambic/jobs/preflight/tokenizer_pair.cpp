#include "alambic/jobs/preflight/tokenizer_pair.h"

#include <fmt/format.h>

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"
#include "alambic/jobs/other_tokenizer.h"
#include "alambic/text/align/pair_facts.h"

namespace alambic {

namespace {

constexpr size_t max_texts = 64;

double percent(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

// Completions where the rows have some, else prompts: the same kind of text.
std::vector<std::string> texts_of(const DistillPlan& plan) {
  std::vector<std::string> texts;
  for (size_t r = 0; r < std::min(plan.rows.size(), max_texts); ++r) {
    const Example row = plan.rows[r];
    texts.push_back(row.completion.value_or(row.prompt));
  }
  return texts;
}

Finding tokens_finding(const std::string& name, const PairFacts& facts) {
  return {
      Level::good, "tokenizers",
      fmt::format("{}: {} strings are a token of both, {:.0f} % of the student's {} and {:.0f} % "
                  "of the teacher's {} tokens; {} of the student's and {} of the teacher's are "
                  "never written by their own tokenizer",
                  name, facts.common, percent(facts.common, facts.student_tokens),
                  facts.student_tokens, percent(facts.common, facts.teacher_tokens),
                  facts.teacher_tokens, facts.student_unreachable, facts.teacher_unreachable),
      ""};
}

Finding spans_finding(const std::string& name, const PairFacts& facts) {
  const TokenSpan& longest = facts.longest;
  return {
      Level::good, "spans",
      fmt::format("{}: {} tokens of the data's text are {} spans, {:.0f} % of one token each, the "
                  "longest of {} and {}",
                  name, facts.tokens, facts.spans, percent(facts.one_to_one, facts.spans),
                  longest.student_end - longest.student_begin,
                  longest.teacher_end - longest.teacher_begin),
      ""};
}

std::string some_of(std::vector<std::string> names) {
  constexpr size_t most = 5;
  const bool more = names.size() > most;
  if (more) names.resize(most);
  return join(names) + (more ? ", …" : "");
}

Finding special_finding(const std::string& name, const PairFacts& facts) {
  return {Level::good, "special",
          fmt::format("{}: {} of the student and {} of the teacher end a completion, as one; {} "
                      "special tokens of one name are paired{}{}",
                      name, some_of(facts.student_ends), some_of(facts.teacher_ends),
                      facts.paired.size(), facts.paired.empty() ? "" : ": ", some_of(facts.paired)),
          ""};
}

Finding mask_finding(const std::string& name, const PairFacts& facts) {
  constexpr double told = 1, too_much = 10;
  const double share = percent(facts.masked, facts.tokens);
  std::string text = fmt::format("{}: {:.2g} % of the tokens are masked", name, share);
  if (!facts.unpaired.empty()) {
    text += fmt::format("; so are {} special tokens without a partner of the same name: {}",
                        facts.unpaired.size(), some_of(facts.unpaired));
  }
  return {share > too_much ? Level::refused
          : share > told   ? Level::warning
                           : Level::good,
          "masked", text,
          share > told ? "the teacher's tokenizer changes the text's bytes (a normalizer)" : ""};
}

void add_templates(const DistillPlan& plan, const OtherTokenizer& other, const std::string& name,
                   Findings& findings) {
  if (!other.chat_template() || plan.rows.size() == 0) return;
  const Example row = plan.rows[0];
  if (!row.chat) return;
  const std::string own = row.prompt;
  const std::string theirs = write_chat(*other.chat_template(), *row.chat, ChatUse::prompts).prompt;
  findings.push_back({Level::good, "template",
                      fmt::format("the conversation of {}, as the student reads it: {}", row.place,
                                  printable(own)),
                      ""});
  findings.push_back(
      {Level::good, "template", fmt::format("… and {}: {}", name, printable(theirs)), ""});
}

Finding method_finding(const PlannedTeacher& teacher) {
  const char* advice =
      teacher.endpoint
          ? "--cross-tokenizer span: one number a span is what every server gives; pieces takes "
            "distributions: with --kd-topk 20 what the most likely tokens say, without it all, "
            "which `alambic serve` alone gives"
          : "--cross-tokenizer pieces: the teacher's distributions are here, and say more than one "
            "number a span, which is what --cross-tokenizer span learns from";
  return {Level::good, "method",
          fmt::format("{}. --completions-by teacher and a judge need no alignment", advice), ""};
}

}  // namespace

Findings describe_pair(const DistillPlan& plan, const PlannedTeacher& teacher) {
  const std::string& name = teacher.source.folder;
  Findings findings;
  try {
    const OtherTokenizer other(plan, teacher);
    const PairFacts facts = pair_facts(*other.aligner(), texts_of(plan));
    findings = {tokens_finding(name, facts), spans_finding(name, facts),
                special_finding(name, facts), mask_finding(name, facts)};
    add_templates(plan, other, name, findings);
    findings.push_back(method_finding(teacher));
  } catch (const Error& error) {
    findings.push_back({Level::refused, "tokenizers", error.what(), error.hint()});
  }
  return findings;
}

}  // namespace alambic
