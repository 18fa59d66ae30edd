#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "alambic/base/units.h"
#include "alambic/report/html_escape.h"
#include "alambic/report/page_sections.h"

namespace alambic {
namespace {

constexpr size_t max_prompts = 12;
constexpr size_t longest_text = 4000;  // bytes

struct Shown {
  std::string label;
  const Sample* sample;
};

// The completions of all runs to one prompt.
struct Completions {
  const Sample* first = nullptr;
  std::vector<std::vector<const Sample*>> by_run;
};

std::vector<Completions> completions_by_prompt(const ReportInput& input) {
  std::vector<Completions> prompts;
  std::unordered_map<std::string_view, size_t> places;
  for (size_t run = 0; run < input.runs.size(); ++run) {
    for (const Sample& sample : input.runs[run].samples) {
      const auto [place, is_new] = places.try_emplace(sample.prompt, prompts.size());
      if (is_new)
        prompts.push_back({&sample, std::vector<std::vector<const Sample*>>(input.runs.size())});
      prompts[place->second].by_run[run].push_back(&sample);
    }
  }
  return prompts;
}

// One sample per step, in the order of steps; of many the first, the middle and the last.
std::vector<const Sample*> pick_steps(std::vector<const Sample*> samples) {
  std::stable_sort(samples.begin(), samples.end(),
                   [](const Sample* a, const Sample* b) { return a->step < b->step; });
  const auto same_step = [](const Sample* a, const Sample* b) { return a->step == b->step; };
  samples.erase(std::unique(samples.begin(), samples.end(), same_step), samples.end());
  if (samples.size() <= 3) return samples;
  return {samples.front(), samples[samples.size() / 2], samples.back()};
}

std::vector<Shown> shown_completions(const ReportInput& input, const Completions& prompt) {
  std::vector<Shown> shown;
  const bool several = input.runs.size() > 1;
  for (size_t run = 0; run < input.runs.size(); ++run) {
    const std::vector<const Sample*> completions = pick_steps(prompt.by_run[run]);
    if (completions.empty()) continue;
    if (!several) {
      for (const Sample* sample : completions) shown.push_back({"", sample});
      continue;
    }
    const std::string& name = input.runs[run].name;
    if (shown.empty() && completions.size() > 1) shown.push_back({name, completions.front()});
    shown.push_back({name, completions.back()});
  }
  return shown;
}

std::string shortened(std::string_view text) {
  text = text.substr(0, text.find_last_not_of(" \n") + 1);
  if (text.size() <= longest_text) return escape_html(text);
  size_t end = longest_text;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return escape_html(text.substr(0, end)) + " …";
}

// Tokens beside each other, with a line between.
std::string tokens_text(const std::vector<std::string>& tokens) {
  std::string html;
  for (const std::string& token : tokens) {
    html += fmt::format("{}{}", html.empty() ? "" : "<i>|</i>", escape_html(token));
  }
  return html;
}

// Runs of tokens that are compared as one: the student's over the teacher's where they differ.
std::string spans_text(const std::vector<SampleSpan>& spans) {
  if (spans.empty()) return "";
  std::string html;
  for (const SampleSpan& span : spans) {
    if (span.teacher.empty()) {
      html += fmt::format(R"(<s title="masked">{}</s>)", tokens_text(span.student));
    } else if (span.student == span.teacher) {
      html += fmt::format("<b>{}</b>", tokens_text(span.student));
    } else {
      html += fmt::format("<ruby>{}<rt>{}</rt></ruby>", tokens_text(span.student),
                          tokens_text(span.teacher));
    }
  }
  return fmt::format(
      "<details><summary>{} spans: the student's tokens, the teacher's above where "
      "they differ; crossed out: masked</summary><p class=\"spans\">{}</p></details>",
      spans.size(), html);
}

std::string completion(const Shown& shown) {
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
  return fmt::format(R"(<div class="completion"><header>{}<span>step {}</span>{}</header>)"
                     "<pre>{}</pre>{}{}</div>",
                     name, with_separators(sample.step), mark, shortened(sample.completion), notes,
                     spans_text(sample.spans));
}

// Prompts that were completed at several steps or by several runs say most. Where there is none
// (training samples), the first and the last of all prompts show the change.
std::vector<Completions> pick_prompts(std::vector<Completions> prompts) {
  const auto answered_once = [](const Completions& prompt) {
    size_t count = 0;
    for (const auto& samples : prompt.by_run) {
      if (!samples.empty()) count += samples.front()->step == samples.back()->step ? 1 : 2;
    }
    return count < 2;
  };
  if (!std::all_of(prompts.begin(), prompts.end(), answered_once)) {
    std::erase_if(prompts, answered_once);
    if (prompts.size() > max_prompts) prompts.resize(max_prompts);
  } else if (prompts.size() > max_prompts) {
    const auto half = static_cast<std::ptrdiff_t>(max_prompts / 2);
    prompts.erase(prompts.begin() + half, prompts.end() - half);
  }
  return prompts;
}

}  // namespace

std::string samples_section(const ReportInput& input) {
  std::string html;
  for (const Completions& prompt : pick_prompts(completions_by_prompt(input))) {
    std::string reference;
    if (!prompt.first->reference.empty()) {
      reference = fmt::format(R"(<p class="reference">Reference: {}</p>)",
                              shortened(prompt.first->reference));
    }
    html += fmt::format(
        R"(<div class="sample"><div class="prompt"><p>{}</p>{}</div><div class="completions">)",
        shortened(prompt.first->prompt), reference);
    for (const Shown& shown : shown_completions(input, prompt)) html += completion(shown);
    html += "</div></div>";
  }
  return html.empty() ? "" : "<h2>Answers, early and late</h2>" + html;
}

}  // namespace alambic
