#include <fmt/format.h>

#include <algorithm>

#include "alambic/base/units.h"
#include "alambic/report/html_escape.h"
#include "alambic/report/page_sections.h"

namespace alambic {
namespace {

constexpr size_t most_prompts = 12;
constexpr size_t longest_text = 4000;  // bytes

struct Shown {
  std::string label;
  const Sample* sample;
};

// One sample per step, in the order of steps.
std::vector<const Sample*> answers_to(const ReportRun& run, const std::string& prompt) {
  std::vector<const Sample*> found;
  for (const Sample& sample : run.samples) {
    const auto same_step = [&](const Sample* other) { return other->step == sample.step; };
    if (sample.prompt != prompt || std::any_of(found.begin(), found.end(), same_step)) continue;
    found.push_back(&sample);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Sample* a, const Sample* b) { return a->step < b->step; });
  return found;
}

std::vector<Shown> shown_answers(const ReportInput& input, const std::string& prompt) {
  std::vector<Shown> shown;
  const bool several = input.runs.size() > 1;
  for (const ReportRun& run : input.runs) {
    std::vector<const Sample*> answers = answers_to(run, prompt);
    if (answers.size() > 3)
      answers = {answers.front(), answers[answers.size() / 2], answers.back()};
    if (several && !answers.empty()) {
      if (shown.empty() && answers.size() > 1) shown.push_back({run.name, answers.front()});
      shown.push_back({run.name, answers.back()});
      continue;
    }
    for (const Sample* sample : answers) shown.push_back({"", sample});
  }
  return shown;
}

std::string shortened(const std::string& text) {
  if (text.size() <= longest_text) return escape_html(text);
  size_t end = longest_text;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return escape_html(std::string_view(text).substr(0, end)) + " …";
}

std::string answer(const Shown& shown) {
  const Sample& sample = *shown.sample;
  std::string mark;
  if (sample.correct) {
    mark = *sample.correct ? R"(<span class="mark right">✓ correct</span>)"
                           : R"(<span class="mark wrong">✗ wrong</span>)";
  }
  std::string notes;
  for (const auto& [name, value] : sample.notes) {
    notes +=
        fmt::format("{}{} {}", notes.empty() ? "" : " · ", escape_html(name), shortened(value));
  }
  if (!notes.empty()) notes = fmt::format(R"(<p class="notes">{}</p>)", notes);
  const std::string name =
      shown.label.empty() ? "" : fmt::format("<b>{}</b>", escape_html(shown.label));
  return fmt::format(R"(<div class="answer"><header>{}<span>step {}</span>{}</header>)"
                     "<pre>{}</pre>{}</div>",
                     name, with_separators(sample.step), mark, shortened(sample.completion), notes);
}

std::vector<const Sample*> distinct_prompts(const ReportInput& input) {
  std::vector<const Sample*> prompts;
  for (const ReportRun& run : input.runs) {
    for (const Sample& sample : run.samples) {
      const auto same = [&](const Sample* other) { return other->prompt == sample.prompt; };
      if (prompts.size() < most_prompts && std::none_of(prompts.begin(), prompts.end(), same)) {
        prompts.push_back(&sample);
      }
    }
  }
  return prompts;
}

}  // namespace

std::string samples_section(const ReportInput& input) {
  std::string html;
  for (const Sample* first : distinct_prompts(input)) {
    std::string reference;
    if (!first->reference.empty()) {
      reference =
          fmt::format(R"(<p class="reference">Reference: {}</p>)", shortened(first->reference));
    }
    html += fmt::format(
        R"(<div class="sample"><div class="prompt"><p>{}</p>{}</div><div class="answers">)",
        shortened(first->prompt), reference);
    for (const Shown& shown : shown_answers(input, first->prompt)) html += answer(shown);
    html += "</div></div>";
  }
  return html.empty() ? "" : "<h2>Answers before and after</h2>" + html;
}

}  // namespace alambic
