// Conversations through every command, on a tiny model, from outside.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "tests/program/program.h"
#include "tests/program/torch/tiny_llama.h"

namespace alambic::chat_test {
namespace {

using Json = nlohmann::ordered_json;

const std::string kMachine = " --device cpu --threads 1";
const std::string kTemplate =
    "{% for m in messages %}{{ m.role }}:{{ m.content }}{% if m.role == 'assistant' %}"
    "{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}";

struct ChatCommands : testing::Test {
  static inline fs::path folder;

  static std::string at(const std::string& name) { return (folder / name).string(); }

  static void SetUpTestSuite() {
    std::string name = fs::temp_directory_path() / "alambic_XXXXXX";
    folder = ::mkdtemp(name.data());
    ASSERT_NO_FATAL_FAILURE(init_tiny_llama(at("plain"), "4"));
    ASSERT_NO_FATAL_FAILURE(init_tiny_llama(at("teacher"), "5"));
    fs::copy(at("plain"), at("model"));
    write_file(at("model/chat_template.jinja"), kTemplate);
    write_file(at("teacher/chat_template.jinja"), kTemplate);
    write_file(at("other.jinja"), "{# other #}" + kTemplate);
    std::string chats, texts, questions;
    for (int i = 0; i < 8; ++i) {
      const std::string n = std::to_string(i), next = std::to_string(i + 1);
      const Json user = {{"role", "user"}, {"content", n + " + 1 ="}};
      const Json assistant = {{"role", "assistant"}, {"content", " #### " + next}};
      chats += Json{{"messages", {user, assistant}}, {"answer", next}}.dump() + "\n";
      questions += Json{{"prompt", {user}}, {"answer", next}}.dump() + "\n";
      texts += Json{{"prompt", "user:" + n + " + 1 =\nassistant:"},
                    {"completion", " #### " + next},
                    {"answer", next}}
                   .dump() +
               "\n";
    }
    write_file(at("chats.jsonl"), chats);
    write_file(at("texts.jsonl"), texts);
    write_file(at("questions.jsonl"), questions);
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }

  static Outcome succeed(const std::string& arguments) {
    const Outcome outcome = alambic(arguments + kMachine);
    EXPECT_EQ(outcome.code, 0) << arguments << "\n" << outcome.text;
    return outcome;
  }
  static void refuse(const std::string& arguments, const std::vector<std::string>& words) {
    const Outcome outcome = alambic(arguments + kMachine);
    EXPECT_EQ(outcome.code, 2) << arguments << "\n" << outcome.text;
    for (const std::string& word : words) {
      EXPECT_NE(outcome.text.find(word), std::string::npos) << "no '" << word << "'\n"
                                                            << outcome.text;
    }
  }
  static std::string distill(const std::string& data, const std::string& out,
                             const std::string& more = "") {
    return "distill --student " + at("model") + " --teacher " + at("teacher") + " --data " +
           at(data) + " --out " + at(out) +
           " --batch-size 4 --max-completion-length 6 --max-steps 3 --seed 3 " + more;
  }
  static std::string train(const std::string& data, const std::string& out,
                           const std::string& more = "") {
    return "train --model " + at("model") + " --data " + at(data) + " --out " + at(out) +
           " --batch-size 4 --max-steps 3 --seed 3 " + more;
  }
  // Losses and gradients, to the last digit.
  static std::vector<Json> figures(const std::string& run) {
    std::vector<Json> rows;
    const std::string text = read_file(at(run + "/metrics.jsonl"));
    for (size_t begin = 0, end = 0; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
      const Json row = Json::parse(text.substr(begin, end - begin));
      rows.push_back({row["loss"], row["grad_norm"], row["tokens"]});
    }
    return rows;
  }
};

// Prevents: a special token too many, a completion learned without its end, a prompt that is
// learned. The template writes conversations as the plain rows are.
TEST_F(ChatCommands, LearnTheSameTokensAsFromTheRenderedText) {
  succeed(train("chats.jsonl", "t-chats"));
  succeed(train("texts.jsonl", "t-texts"));
  EXPECT_EQ(figures("t-chats"), figures("t-texts"));
  for (const char* lmbda : {"0", "1"}) {
    const std::string more = std::string("--lmbda ") + lmbda, suffix = lmbda;
    succeed(distill("chats.jsonl", "d-chats" + suffix, more));
    succeed(distill("texts.jsonl", "d-texts" + suffix, more));
    EXPECT_EQ(figures("d-chats" + suffix), figures("d-texts" + suffix)) << lmbda;
  }
  const auto task = [](const std::string& data) {
    const Outcome outcome = succeed("eval --model " + at("model") + " --data " + at(data) +
                                    " --max-new-tokens 5 --json 2>/dev/null");
    Json figures = Json::parse(outcome.text);
    figures.erase("seconds");
    return figures;
  };
  EXPECT_EQ(task("chats.jsonl"), task("texts.jsonl"));
}

TEST_F(ChatCommands, SamplesAreReadable) {
  succeed(distill("questions.jsonl", "samples"));
  const std::string text = read_file(at("samples/samples.jsonl"));
  const Json sample = Json::parse(text.substr(0, text.find('\n')));
  ASSERT_TRUE(sample["prompt"].is_array()) << sample;
  EXPECT_EQ(sample["prompt"][0]["role"], "user");
  succeed("eval --model " + at("model") + " --data " + at("questions.jsonl") +
          " --max-new-tokens 3 --out " + at("completions.jsonl"));
  const std::string completions = read_file(at("completions.jsonl"));
  EXPECT_EQ(Json::parse(completions.substr(0, completions.find('\n')))["prompt"][0]["content"],
            "0 + 1 =");
  EXPECT_EQ(alambic("report --run " + at("samples")).code, 0);
}

// Prevents: a model that is exported without the template it was trained with.
TEST_F(ChatCommands, TheTemplateIsExported) {
  succeed(train("chats.jsonl", "kept"));
  EXPECT_EQ(read_file(at("kept/model/chat_template.jinja")), kTemplate);
  EXPECT_EQ(read_file(at("kept/model/tokenizer_config.json")),
            read_file(at("model/tokenizer_config.json")));
  succeed(train("chats.jsonl", "given", "--chat-template " + at("other.jinja")));
  EXPECT_EQ(read_file(at("given/model/chat_template.jinja")), read_file(at("other.jinja")));
  EXPECT_EQ(figures("given"), figures("kept"));
}

TEST_F(ChatCommands, WhatCannotBeDoneIsSaid) {
  const std::string plain = "train --model " + at("plain") + " --data " + at("chats.jsonl") +
                            " --max-steps 1 --out " + at("never");
  refuse(plain, {"chats.jsonl:1: ", at("plain") + " has none", "--chat-template FILE"});
  EXPECT_EQ(alambic(plain + " --chat-template " + at("other.jinja") + kMachine).code, 0);
  const std::string given = " --chat-template " + at("other.jinja");
  refuse(train("texts.jsonl", "never2", given),
         {"--chat-template has no effect", "texts.jsonl holds no conversations"});
  refuse(distill("texts.jsonl", "never2", given), {"--chat-template has no effect"});
  refuse("eval --model " + at("model") + " --data " + at("texts.jsonl") + given,
         {"--chat-template has no effect"});
  refuse("generate --model " + at("model") + " --prompt x" + given, {"--chat-template has no"});
  refuse("generate --model " + at("model") + " --prompt x --system y", {"--system", "--chat"});
  refuse("generate --chat --model " + at("model") + " --data " + at("chats.jsonl"), {"--data"});
  refuse("generate --chat --model " + at("plain") + " --prompt x", {"has none"});
  refuse(distill("questions.jsonl", "never2", "--lmbda 0.5"), {"questions.jsonl:1"});
  refuse("judge-check --data " + at("chats.jsonl") + " --reward exact_match", {"chats.jsonl:1"});
}

TEST_F(ChatCommands, ChecksTheTemplatesOnTheDatasOwnConversations) {
  const auto check = [](const std::string& student, const std::string& data) {
    return alambic("check --student " + at(student) + " --teacher " + at("teacher") + " --data " +
                   at(data) + " --batch-size 2 --max-completion-length 6" + kMachine);
  };
  EXPECT_NE(check("model", "chats.jsonl").text.find("write the same text of 8 conversations"),
            std::string::npos);
  // Differs from the teacher's on these rows only, not on a greeting.
  fs::copy(at("model"), at("sly"));
  write_file(at("sly/chat_template.jinja"),
             "{% if '3 +' in messages[0].content %}!{% endif %}" + kTemplate);
  const std::string told = check("sly", "chats.jsonl").text;
  EXPECT_NE(told.find("write the same conversation differently: the conversation of " +
                      at("chats.jsonl") + ":4: \"!user:3"),
            std::string::npos)
      << told;
  write_file(at("sly/chat_template.jinja"),
             "{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}"
             "{% if add_generation_prompt %}assistant:{% endif %}");
  EXPECT_NE(check("sly", "questions.jsonl").text.find("ends a completion with no special token"),
            std::string::npos);
}

// Prevents: a prompt that is not the template's; a completion that begins with the prompt. Draws
// depend on the place in the text, so a prompt of another length has another completion.
TEST_F(ChatCommands, GenerateAnswersAUsersMessage) {
  const std::string generate = "generate --model " + at("model") + " --max-new-tokens 4 ";
  const auto json = [&](const std::string& more) {
    return Json::parse(succeed(generate + more + " --json 2>/dev/null").text);
  };
  const Json chat = json("--chat --prompt '3 + 1 ='");
  EXPECT_EQ(chat["tokens"], json("--prompt 'user:3 + 1 =\nassistant:'")["tokens"]);
  EXPECT_EQ(chat["prompt"][0]["content"], "3 + 1 =");
  EXPECT_EQ(json("--chat --system s --prompt x")["tokens"],
            json("--prompt 'system:s\nuser:x\nassistant:'")["tokens"]);
  EXPECT_EQ(succeed(generate + "--chat --prompt '3 + 1 =' 2>/dev/null").text,
            chat["completion"].get<std::string>() + "\n");
  EXPECT_EQ(
      shell("echo '3 + 1 =' | " + kProgram + " " + generate + "--chat 2>/dev/null" + kMachine).text,
      chat["completion"].get<std::string>() + "\n");
}

// Prevents: a second question that is asked without the first and its completion.
TEST_F(ChatCommands, AConversationInTheTerminalRemembersWhatWasSaid) {
  if (shell("command -v script").code != 0) GTEST_SKIP() << "no `script` to make a terminal";
  const std::string generate =
      "generate --model " + at("model") + " --temperature 0 --max-new-tokens 3 --chat";
  const auto completion = [&](const std::string& prompt) {
    return Json::parse(succeed("generate --model " + at("model") +
                               " --temperature 0 --max-new-tokens 3 --json --prompt '" + prompt +
                               "' 2>/dev/null")
                           .text)["completion"]
        .get<std::string>();
  };
  const std::string first = "user:3 + 1 =\nassistant:", one = completion(first);
  const std::string two = completion(first + one + "<|endoftext|>\nuser:and 5 ?\nassistant:");
  const Outcome outcome = shell(
      "(printf '3 + 1 =\\n'; sleep 1; printf 'and 5 ?\\n'; sleep 1) | "
      "timeout 60 script -qec '" +
      kProgram + " " + generate + kMachine + "' /dev/null");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  const size_t place = outcome.text.find(one);
  ASSERT_NE(place, std::string::npos) << one << "\n" << outcome.text;
  EXPECT_NE(outcome.text.find(two, place + one.size()), std::string::npos) << two << "\n"
                                                                           << outcome.text;
}

}  // namespace
}  // namespace alambic::chat_test
