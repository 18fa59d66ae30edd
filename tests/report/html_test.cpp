#include "alambic/report/html.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "alambic/report/html_escape.h"

namespace alambic::html_test {
namespace {

constexpr const char* hostile = "</script></pre></style><img src=x onerror='alert(1)'>\"&";

MetricsRow step_row(int64_t step, double loss) {
  MetricsRow row;
  row.add("step", step);
  row.add("loss", loss);
  return row;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

TEST(EscapeHtml, LeavesNoMarkupAndNoBrokenCharacter) {
  EXPECT_EQ(escape_html("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escape_html("é✓😀\n\t"), "é✓😀\n\t");
  const std::string broken = "\xEF\xBF\xBD";
  EXPECT_EQ(escape_html("caf\xC3"), "caf" + broken);
  EXPECT_EQ(escape_html("\xC3<"), broken + "&lt;");
  EXPECT_EQ(escape_html("\xC0\xAF"), broken + broken);               // overlong
  EXPECT_EQ(escape_html("\xED\xA0\x80"), broken + broken + broken);  // surrogate
  EXPECT_EQ(escape_html(std::string_view("a\0\x1b", 3)), "a" + broken + broken);
}

TEST(Report, EscapesEveryTextOfItsInput) {
  MetricsRow row = step_row(1, 2);
  row.add(hostile, 3.0);
  row.add(std::string("valid_") + hostile, 3.0);
  row.add(std::string(hostile) + "_seconds", 3.0);
  const Sample sample{
      .step = 1,
      .prompt = hostile,
      .completion = hostile,
      .reference = hostile,
      .correct = true,
      .notes = {{hostile, hostile}},
      .spans = {{{hostile}, {hostile}}, {{hostile}, {}}, {{hostile}, {"a", hostile}}}};
  const ReportRun run{
      .name = hostile, .metrics = {row, row}, .config = hostile, .samples = {sample}};
  ReportRun second = run;
  second.name += "2";
  const ResultsTable results{
      .columns = {hostile}, .rows = {{hostile, {{.value = {}, .text = hostile}}}}, .note = hostile};
  for (const std::vector<ReportRun>& runs : {std::vector{run}, std::vector{run, second}}) {
    const std::string page =
        render_report({.title = hostile, .summary = hostile, .results = results, .runs = runs});
    EXPECT_FALSE(contains(page, "<img"));
    EXPECT_FALSE(contains(page, "<script"));
    EXPECT_FALSE(contains(page, "</script"));
    EXPECT_FALSE(contains(page, "onerror='"));
    EXPECT_TRUE(contains(page, "&lt;img src=x onerror=&#39;alert(1)&#39;&gt;"));
  }
}

// Which runs of tokens were compared as one, and which not at all.
TEST(Report, ShowsTheSpansOfASample) {
  const Sample sample{
      .step = 1,
      .prompt = "q",
      .completion = "Nina 48?",
      .spans = {
          {{"N", "ina"}, {"Nina"}}, {{" 48"}, {" ", "4", "8"}}, {{"<x>"}, {}}, {{"?"}, {"?"}}}};
  ReportRun run{.name = "run", .metrics = {step_row(1, 2)}, .samples = {sample}};
  const std::string page = render_report({.title = "t", .runs = {run}});
  for (const char* part :
       {"4 spans", "<ruby>N<i>|</i>ina<rt>Nina</rt></ruby>",
        "<ruby> 48<rt> <i>|</i>4<i>|</i>8</rt></ruby>", "<s title=\"masked\">&lt;x&gt;</s>",
        "<b>?</b>", "class=\"completion\"", ".completion {"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
  run.samples[0].spans.clear();
  EXPECT_FALSE(contains(render_report({.title = "t", .runs = {run}}), "class=\"spans\""));
}

TEST(Report, RefersToNothingOutsideThePage) {
  const ReportRun run{
      .name = "run", .metrics = {step_row(1, 2), step_row(2, 1)}, .config = "a = 1"};
  const std::string page = render_report({.title = "t", .runs = {run}});
  for (const char* outside : {"http:", "https:", "//", "url(", "@import", "<script", "<link"}) {
    EXPECT_FALSE(contains(page, outside)) << outside;
  }
  EXPECT_TRUE(contains(page, "default-src 'none'"));
  EXPECT_TRUE(contains(page, "prefers-color-scheme: dark"));
}

TEST(Report, SaysThatThereAreNoStepsYet) {
  const std::string page = render_report({.title = "t", .runs = {{.name = "run"}}});
  EXPECT_TRUE(contains(page, "No step has been recorded yet."));
  EXPECT_TRUE(contains(page, "holds no steps yet"));
  EXPECT_FALSE(contains(page, "<svg"));
}

TEST(Report, SummarizesTheRunAndItsResults) {
  const ReportRun run{.name = "run", .metrics = {step_row(1, 2), step_row(1200, 0.5)}};
  const ResultsTable results{.columns = {"accuracy", "seconds"},
                             .rows = {{"before", {{.value = 0.314}, {}}},
                                      {"after", {{.value = 0.9}, {.value = 83}}, true}}};
  const std::string page = render_report({.title = "t", .results = results, .runs = {run}});
  EXPECT_TRUE(contains(page, "1,200 steps: loss went from 2.000 to 0.500."));
  EXPECT_TRUE(contains(page, "31.4 %"));
  EXPECT_TRUE(contains(page, "1:23"));
  EXPECT_TRUE(contains(page, R"(<tr class="highlighted"><td>after</td>)"));
}

TEST(Report, ShowsTheCompletionsToOnePromptSideBySideInTheOrderOfSteps) {
  ReportRun run{.name = "run", .metrics = {step_row(1, 2)}};
  for (const int64_t step : {300, 100, 200, 400}) {
    run.samples.push_back({.step = step,
                           .prompt = "question",
                           .completion = fmt::format("answer{}", step),
                           .correct = step == 400});
  }
  const std::string page = render_report({.title = "t", .runs = {run}});
  EXPECT_LT(page.find("answer100"), page.find("answer300"));
  EXPECT_LT(page.find("answer300"), page.find("answer400"));
  EXPECT_FALSE(contains(page, "answer200"));  // the first, the middle and the last of four
  EXPECT_EQ(page.find("question"), page.rfind("question"));
  EXPECT_TRUE(contains(page, "✓ correct") && contains(page, "✗ wrong"));
}

TEST(Report, ShowsTheFirstAndLastSamplesWhenNoPromptComesTwice) {
  ReportRun run{.name = "run", .metrics = {step_row(1, 2)}};
  for (int64_t step = 0; step < 100; ++step) {
    run.samples.push_back(
        {.step = step, .prompt = fmt::format("question{}.", step), .completion = "answer"});
  }
  const std::string page = render_report({.title = "t", .runs = {run}});
  EXPECT_TRUE(contains(page, "question0.") && contains(page, "question99."));
  EXPECT_FALSE(contains(page, "question50."));
}

// Prevents: a run of which the page shows the curves and not what made it.
TEST(Report, ShowsWhatMadeTheModel) {
  ReportInput input{.title = "run", .runs = {{.name = "run"}}};
  EXPECT_FALSE(contains(render_report(input), "What made it"));
  input.runs[0].record = {{"policy", "permitted"}, {"teacher", hostile}};
  const std::string page = render_report(input);
  EXPECT_TRUE(contains(page, "<th>policy</th><td>permitted</td>")) << page;
  EXPECT_FALSE(contains(page, hostile));
}

}  // namespace
}  // namespace alambic::html_test
