// The assistant's turns of conversations in training, from outside.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/temporary_folder.h"
#include "tests/program/torch/tiny_llama.h"

namespace alambic::turns_test {
namespace {

using Json = nlohmann::ordered_json;

// Of earlier answers it drops the thinking, as Qwen 3's.
const char* const kDrops =
    "{% for m in messages %}{{ m.role[0] }}:{% if m.role == 'assistant' and not loop.last %}"
    "{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}"
    "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}";
const char* const kTools =
    "{% for tool in tools %}[{{ tool.function.name }}]{% endfor %}"
    "{% for m in messages %}{{ m.role[0] }}={{ m.content }}{% if m.role == 'assistant' %}"
    "{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}a={% endif %}";

struct Turns : testing::Test {
  static inline std::unique_ptr<TemporaryFolder> scratch;
  static std::string at(const std::string& name) { return scratch->path() / name; }

  static void SetUpTestSuite() {
    scratch = std::make_unique<TemporaryFolder>();
    ASSERT_NO_FATAL_FAILURE(init_tiny_llama(at("plain"), "4"));
    fs::copy(at("plain"), at("model"));
    write_file(at("model/chat_template.jinja"), kDrops);
    fs::create_directories(at("model/additional_chat_templates"));
    write_file(at("model/additional_chat_templates/tool_use.jinja"), kTools);
  }
  static void TearDownTestSuite() { scratch.reset(); }

  static Outcome train(const std::string& rows, const std::string& out,
                       const std::string& more = "") {
    write_file(at(out + ".jsonl"), rows);
    return alambic("train --model " + at("model") + " --data " + at(out + ".jsonl") + " --out " +
                   at(out) + " --batch-size 2 --max-steps 1 --seed 3 --device cpu --threads 1 " +
                   more);
  }
  static Json figures(const std::string& run) {
    const std::string text = read_file(at(run + "/metrics.jsonl"));
    return Json::parse(text.substr(0, text.find('\n')));
  }
  static void expect_same(const std::string& a, const std::string& b) {
    const Json one = figures(a), other = figures(b);
    EXPECT_EQ(one["tokens"], other["tokens"]);
    EXPECT_NEAR(one["loss"].get<double>(), other["loss"].get<double>(), 1e-5);
    EXPECT_NEAR(one["grad_norm"].get<double>(), other["grad_norm"].get<double>(), 1e-4);
  }
};

Json message(const char* role, const char* content) {
  return {{"role", role}, {"content", content}};
}

const Json kConversation = {message("user", "1+1"), message("assistant", "hm</think>2"),
                            message("user", "2+2"), message("assistant", "so</think>4")};

// Prevents: conversations refused, or learned as nobody will ask, where the template drops the
// thinking of earlier answers.
TEST_F(Turns, AreLearnedAsTheyWereGeneratedOrRefused) {
  const std::string row = Json{{"messages", kConversation}}.dump() + "\n";
  const Outcome split = train(row, "split");
  ASSERT_EQ(split.code, 0) << split.text;
  EXPECT_NE(split.text.find("2 examples"), std::string::npos) << split.text;
  const Outcome plain = train(
      Json{{"prompt", "u:1+1\na:"}, {"completion", "hm</think>2"}}.dump() + "\n" +
          Json{{"prompt", "u:1+1\na:2<|endoftext|>\nu:2+2\na:"}, {"completion", "so</think>4"}}
              .dump() +
          "\n",
      "by_hand");
  ASSERT_EQ(plain.code, 0) << plain.text;
  expect_same("split", "by_hand");
  const Outcome never = train(row, "never", "--split-turns never");
  EXPECT_EQ(never.code, 2) << never.text;
  EXPECT_NE(never.text.find("cannot tell what the assistant writes"), std::string::npos)
      << never.text;
  EXPECT_FALSE(fs::exists(at("never/metrics.jsonl")));
}

// Bug: OpenAI's "weight": 0 was learned all the same.
TEST_F(Turns, OfWeightZeroAreNotLearned) {
  Json weighted = kConversation;
  weighted[1]["weight"] = 0;
  const std::string row = Json{{"messages", weighted}}.dump() + "\n";
  ASSERT_EQ(train(row + row, "weighted").code, 0);
  const std::string by_hand =
      Json{{"prompt", "u:1+1\na:2<|endoftext|>\nu:2+2\na:"}, {"completion", "so</think>4"}}.dump() +
      "\n";
  ASSERT_EQ(train(by_hand + by_hand, "last_alone").code, 0);
  expect_same("weighted", "last_alone");
}

// Bug: with tools in the row the template called tool_use is the one, and training dropped them.
TEST_F(Turns, WithToolsAreWrittenByToolUse) {
  const Json tools = {{{"type", "function"}, {"function", {{"name", "sum"}}}}};
  const Json turns = {message("user", "1+1"), message("assistant", "2")};
  const std::string row = Json{{"messages", turns}, {"tools", tools}}.dump() + "\n";
  const Outcome chat = train(row + row, "tools");
  ASSERT_EQ(chat.code, 0) << chat.text;
  const std::string by_hand = Json{{"prompt", "[sum]u=1+1\na="}, {"completion", "2"}}.dump() + "\n";
  ASSERT_EQ(train(by_hand + by_hand, "tools_by_hand").code, 0);
  expect_same("tools", "tools_by_hand");
}

}  // namespace
}  // namespace alambic::turns_test
