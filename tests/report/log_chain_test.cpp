#include "alambic/report/log_chain.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "alambic/base/sha256.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/report/metrics.h"

namespace alambic::log_chain_test {
namespace {

using Lines = std::vector<std::string>;

struct LogChain : testing::Test {
  TemporaryFolder scratch;
  fs::path file = scratch.path() / "metrics.jsonl";
  LogHead end;

  static MetricsRow row(int64_t step) {
    MetricsRow row;
    row.add("step", step);
    row.add("loss", 1.0 / static_cast<double>(step));
    return row;
  }
  Lines write(int64_t count) {
    LogHead head;
    Lines lines;
    for (int64_t step = 1; step <= count; ++step) {
      const nlohmann::ordered_json json = {{"step", step},
                                           {"loss", 1.0 / static_cast<double>(step)},
                                           {"previous", chain_link(head)}};
      lines.push_back(json.dump());
      head = {step, sha256(lines.back())};
    }
    end = head;
    return lines;
  }
  std::optional<LogFault> fault(const Lines& lines, const std::vector<LogHead>& heads = {}) const {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    write_file(file, text);
    return log_fault(file, heads, end);
  }
  int64_t line_of_fault(const Lines& lines) const {
    const auto found = fault(lines);
    return found ? found->line : 0;
  }
};

struct Edit {
  const char* name;
  std::function<void(Lines&, size_t)> change;  // of the line at that place, from 0
};

std::string with(const std::string& line, const char* key, const nlohmann::ordered_json& value) {
  auto json = nlohmann::ordered_json::parse(line);
  json[key] = value;
  return json.dump();
}

const std::vector<Edit> edits = {
    {"a figure", [](Lines& l, size_t i) { l[i] = with(l[i], "loss", 7.5); }},
    {"a space", [](Lines& l, size_t i) { l[i].insert(1, " "); }},
    {"the hash", [](Lines& l, size_t i) { l[i] = with(l[i], "previous", std::string(64, 'a')); }},
    {"no hash",
     [](Lines& l, size_t i) {
       auto json = nlohmann::ordered_json::parse(l[i]);
       json.erase("previous");
       l[i] = json.dump();
     }},
    {"no JSON", [](Lines& l, size_t i) { l[i] = "x"; }},
    {"empty", [](Lines& l, size_t i) { l[i] = ""; }},
    {"removed", [](Lines& l, size_t i) { l.erase(l.begin() + static_cast<int64_t>(i)); }},
    {"cut", [](Lines& l, size_t i) { l.resize(i); }},
    {"inserted with the right hash",
     [](Lines& l, size_t i) {
       l.insert(l.begin() + static_cast<int64_t>(i), with(l[i], "loss", 9));
     }},
    {"inserted without a hash",
     [](Lines& l, size_t i) { l.insert(l.begin() + static_cast<int64_t>(i), "{\"step\":1}"); }},
    {"repeated", [](Lines& l, size_t i) { l.insert(l.begin() + static_cast<int64_t>(i), l[i]); }},
    {"swapped with the next",
     [](Lines& l, size_t i) {
       if (i + 1 < l.size()) std::swap(l[i], l[i + 1]);
       if (i + 1 == l.size()) std::swap(l[i], l[i - 1]);
     }},
};

TEST_F(LogChain, FindsEveryEditOfEveryLine) {
  const Lines good = write(40);
  EXPECT_FALSE(fault(good));
  for (const Edit& edit : edits) {
    for (size_t i = 0; i < good.size(); ++i) {
      Lines bad = good;
      edit.change(bad, i);
      const bool back = edit.name == std::string("swapped with the next") && i + 1 == good.size();
      const auto line = static_cast<int64_t>(back ? i : i + 1);
      EXPECT_EQ(line_of_fault(bad), line) << edit.name << " " << i;
    }
  }
}

TEST_F(LogChain, FindsEditsInTenThousandLines) {
  const Lines good = write(10'000);
  EXPECT_FALSE(fault(good));
  for (const Edit& edit : edits) {
    for (const size_t i : {size_t{0}, size_t{4999}, size_t{9998}}) {
      Lines bad = good;
      edit.change(bad, i);
      EXPECT_EQ(line_of_fault(bad), static_cast<int64_t>(i + 1)) << edit.name << " " << i;
    }
  }
  Lines longer = good;
  longer.push_back(with(good.back(), "previous", end.hash));
  EXPECT_EQ(line_of_fault(longer), 10'001);
}

TEST_F(LogChain, IsHeldToWhereItStoodBefore) {
  const Lines good = write(4);
  const LogHead three{3, sha256(good[2])};
  EXPECT_FALSE(fault(good, {three}));
  const auto found = fault(good, {{3, std::string(64, '0')}});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->line, 3);
  EXPECT_TRUE(fault(good, {{5, "x"}}));
}

TEST_F(LogChain, IsWhatTheWriterWrites) {
  {
    MetricsWriter writer(file);
    EXPECT_EQ(writer.head().lines, 0);
    for (int64_t step = 1; step <= 3; ++step) writer.append(row(step));
    EXPECT_EQ(writer.head().lines, 3);
    EXPECT_FALSE(log_fault(file, {}, writer.head()));
  }
  const std::string text = read_file(file);
  EXPECT_NE(text.find("\"previous\":\"" + std::string(64, '0')), std::string::npos) << text;
  EXPECT_EQ(log_head_of(file).lines, 3);
  EXPECT_EQ(read_metrics(file).front().entries.size(), 2u);
}

// Prevents: a resumed run that begins a chain of its own.
TEST_F(LogChain, GoesOnInAResumedRun) {
  {
    MetricsWriter writer(file);
    for (int64_t step = 1; step <= 5; ++step) writer.append(row(step));
  }
  const std::string whole = read_file(file);
  LogHead head;
  {
    MetricsWriter writer(file, 3);
    EXPECT_EQ(writer.head().lines, 3);
    for (int64_t step = 4; step <= 5; ++step) writer.append(row(step));
    head = writer.head();
  }
  EXPECT_EQ(read_file(file), whole);
  EXPECT_FALSE(log_fault(file, {}, head));
}

}  // namespace
}  // namespace alambic::log_chain_test
