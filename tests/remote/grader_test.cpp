// Grades of servers of every kind: the right ones, and those that lie.
#include "alambic/remote/grader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/temporary_folder.h"
#include "tests/remote/toy_server.h"

namespace alambic::grader_test {
namespace {

struct GraderTest : testing::Test {
  Tokenizer tokenizer =
      Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer");
  ToyTeacher teacher{tokenizer};
  TemporaryFolder scratch;
  GraderSettings settings{
      .client = {.seconds = 5, .retries = 2, .sleep = [](double) {}}, .k = 4, .needs_logp = true};

  std::unique_ptr<RemoteGrader> grader(const LoopbackServer& server,
                                       const std::string& model = "") {
    settings.endpoint =
        parse_endpoint(server.address() + "/v1" + (model.empty() ? "" : "#" + model));
    return std::make_unique<RemoteGrader>(settings, tokenizer,
                                          std::make_shared<Budget>(0, 0, Prices{}));
  }
  std::vector<GradeRequest> requests() const {
    std::vector<GradeRequest> all;
    for (int i = 0; i < 5; ++i) {
      GradeRequest one{.tokens = {1, 5, 9}, .from = 1 + i % 3};
      for (int n = 0; n <= i; ++n) one.tokens.push_back(11 + 7 * n + i);
      one.tokens.push_back(*tokenizer.eos());
      all.push_back(one);
    }
    return all;
  }
  void expect_right(const std::vector<TokenGrades>& grades, int64_t k) const {
    const auto asked = requests();
    ASSERT_EQ(grades.size(), asked.size());
    for (size_t s = 0; s < asked.size(); ++s) {
      check_grades(grades[s], asked[s], k, tokenizer.size());
      for (int64_t row = 0; row < asked[s].rows(); ++row) {
        const std::vector<float> all = teacher.logp(asked[s].tokens, asked[s].from + row);
        const auto at = static_cast<size_t>(row);
        const auto chosen =
            static_cast<size_t>(asked[s].tokens[static_cast<size_t>(asked[s].from) + at]);
        EXPECT_NEAR(grades[s].logp[at], all[chosen], 1e-5) << s << " " << row;
        std::vector<float> falling = all;
        std::ranges::sort(falling, std::greater());
        for (int64_t i = 0; i < k; ++i) {
          const auto place = static_cast<size_t>(row * k + i);
          EXPECT_NEAR(grades[s].topk_logp[place], falling[static_cast<size_t>(i)], 1e-5);
          EXPECT_NEAR(grades[s].topk_logp[place],
                      all[static_cast<size_t>(grades[s].topk_token[place])], 1e-5);
        }
      }
    }
  }
  std::string refusal(const LoopbackServer& server) {
    try {
      grader(server)->grade(requests());
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
};

// Bug: rows one place off, K + 1 candidates taken for K, an end token without a grade.
TEST_F(GraderTest, EveryWireGivesTheTeachersGrades) {
  for (const Protocol protocol :
       {Protocol::vllm, Protocol::llamacpp, Protocol::sglang, Protocol::echo, Protocol::alambic}) {
    SCOPED_TRACE(protocol_name(protocol));
    const LoopbackServer server(teacher.handler(protocol));
    settings.protocol = protocol == Protocol::echo ? protocol : Protocol::automatic;
    for (const int64_t k : {4, 0}) {
      settings.k = k;
      const auto one = grader(server);
      expect_right(one->grade(requests()), k);
      EXPECT_EQ(one->facts().protocol, protocol);
      EXPECT_EQ(one->facts().model, "toy");
    }
  }
}

TEST_F(GraderTest, AllCandidatesAtAnotherTemperature) {
  const LoopbackServer server(teacher.handler(Protocol::vllm));
  settings.k = tokenizer.size();
  settings.temperature = 2;
  const auto asked = requests();
  const TokenGrades grades = grader(server)->grade(asked).at(4);
  const std::vector<float> all = teacher.logp(asked[4].tokens, asked[4].from);
  double sum = 0;
  for (const float logp : all) sum += std::exp(logp / 2.0);
  const auto chosen = static_cast<size_t>(asked[4].tokens[static_cast<size_t>(asked[4].from)]);
  EXPECT_NEAR(grades.logp[0], all[chosen] / 2 - std::log(sum), 1e-5);
}

// Bug: a reply that is asked and paid for again by a run that resumes.
TEST_F(GraderTest, AJournalIsAskedFirst) {
  const LoopbackServer server(teacher.handler(Protocol::vllm));
  size_t after_first = 0;
  for (int run = 0; run < 2; ++run) {
    const auto one = grader(server);
    one->keep_in(scratch.path() / "remote", "rank-0");
    one->probe();
    const size_t before = server.requests().size();
    expect_right(one->grade(requests()), 4);
    if (run == 0) {
      after_first = server.requests().size() - before;
      continue;
    }
    EXPECT_EQ(server.requests().size(), before);
    EXPECT_EQ(one->replayed(), 5);
  }
  EXPECT_EQ(after_first, 5u);
}

// Bug: one damaged row is used, or all of a step's are lost with it.
TEST_F(GraderTest, LiesAreFailures) {
  const auto lie = [&](const std::function<void(nlohmann::json&)>& change) {
    return [&, change, honest = teacher.handler(Protocol::vllm)](const ServedRequest& request) {
      ServedReply reply = honest(request);
      if (request.path != "/v1/completions") return reply;
      nlohmann::json json = nlohmann::json::parse(reply.body);
      change(json["choices"][0]["prompt_logprobs"]);
      reply.body = json.dump();
      return reply;
    };
  };
  const std::pair<const char*, std::function<void(nlohmann::json&)>> lies[] = {
      {"a row too few", [](auto& rows) { rows.erase(rows.size() - 1); }},
      {"a row too many (BOS)", [](auto& rows) { rows.insert(rows.begin(), nullptr); }},
      {"rows shifted by one",
       [](auto& rows) {
         rows.erase(1);
         rows.push_back(rows.back());
       }},
      {"null", [](auto& rows) { rows[2].begin().value()["logprob"] = nullptr; }},
      {"a text", [](auto& rows) { rows[2].begin().value()["logprob"] = "-1"; }},
      {"above 0", [](auto& rows) { rows[2].begin().value()["logprob"] = 0.5; }},
      {"K short",
       [](auto& rows) {
         while (rows[2].size() > 2) rows[2].erase(rows[2].begin());
       }},
      {"more than all",
       [](auto& rows) {
         for (auto& one : rows[2]) one["logprob"] = -0.01;
       }},
      {"a token of no vocabulary", [](auto& rows) {
         rows[2]["123456"] = {{"logprob", -1e-6}};
       }}};
  for (const auto& [name, change] : lies) {
    const LoopbackServer server(lie(change));
    const std::string words = refusal(server);
    EXPECT_NE(words, "") << name;
  }
  const LoopbackServer nan([&](const ServedRequest& request) {
    ServedReply reply = teacher.handler(Protocol::vllm)(request);
    const size_t at = reply.body.find("\"logprob\":-");
    if (at != std::string::npos) reply.body.replace(at, 11, "\"logprob\":NaN,\"x\":-");
    return reply;
  });
  EXPECT_NE(refusal(nan).find("not as it should be"), std::string::npos);
}

// Bug: where llama.cpp's server is left alone and writes half a character, it tells no place at
// all.
TEST_F(GraderTest, LlamacppIsNeverLeftToWriteWhatItLikes) {
  const auto wire = make_grade_wire(Protocol::llamacpp, tokenizer);
  for (int32_t last = 3; last < tokenizer.size(); last += 40) {
    const GradeRequest request{.tokens = {1, last, *tokenizer.eos()}, .from = 2};
    const auto body = nlohmann::json::parse(wire->body("toy", {&request, 1}, 4));
    EXPECT_TRUE(body.contains("grammar"));
    const ServedReply reply = teacher.llamacpp(body);
    EXPECT_EQ(wire->read(reply.body, {&request, 1}, 4).at(0).rows(), 1) << last;
  }
}

// Bug: a server that spells halves of characters as OpenAI does, as ours, has "another tokenizer".
TEST_F(GraderTest, KnowsBytesBySpellingsOfOpenAI) {
  teacher.names_bytes = true;
  settings.k = 200;
  const LoopbackServer server(teacher.handler(Protocol::vllm));
  EXPECT_EQ(grader(server)->probe().model, "toy");
}

// Bug: vLLM spells the last part of a character, where it follows the first in the text, as the
// whole character: "é" in place of its second byte was "another tokenizer".
TEST_F(GraderTest, KnowsCharactersThatEndInAToken) {
  teacher.ends_characters = true;
  settings.k = 0;
  const LoopbackServer server(teacher.handler(Protocol::vllm));
  EXPECT_EQ(grader(server)->probe().model, "toy");
}

TEST_F(GraderTest, AsksForTheVersionWhereThereIsOne) {
  const LoopbackServer server(teacher.handler(Protocol::vllm));
  EXPECT_EQ(grader(server)->probe().version, "toy 1");
  teacher.version = "";
  const LoopbackServer older(teacher.handler(Protocol::vllm));
  EXPECT_EQ(grader(older)->probe().version, "");
}

TEST_F(GraderTest, TheProbeSeesWhatIsWrong) {
  const auto with = [&](auto change) {
    return [&, change](const ServedRequest& request) {
      ToyTeacher other = teacher;
      change(other, request);
      return other.handler(Protocol::vllm)(request);
    };
  };
  const LoopbackServer certain(with([](ToyTeacher& t, auto&) { t.certain = true; }));
  EXPECT_NE(refusal(certain).find("probability 1"), std::string::npos) << refusal(certain);
  int count = 0;
  const LoopbackServer noisy(with([&](ToyTeacher& t, auto&) { t.seed = count++; }));
  EXPECT_NE(refusal(noisy).find("differ by up to"), std::string::npos) << refusal(noisy);
  const LoopbackServer other(with([](ToyTeacher& t, auto&) { t.spelling_shift = 1; }));
  EXPECT_NE(refusal(other).find("another tokenizer"), std::string::npos) << refusal(other);
  const LoopbackServer few(with([](ToyTeacher& t, auto&) { t.most_k = 2; }));
  EXPECT_NE(refusal(few).find("max allowed: 2"), std::string::npos) << refusal(few);
  const LoopbackServer silent([](const ServedRequest&) {
    return ServedReply{.body = R"({"data":[{"id":"a","owned_by":"someone"}]})"};
  });
  EXPECT_NE(refusal(silent).find("what kind of server"), std::string::npos) << refusal(silent);
  const LoopbackServer many([](const ServedRequest&) {
    return ServedReply{.body = R"({"data":[{"id":"a"},{"id":"b"}]})"};
  });
  EXPECT_NE(refusal(many).find("2 models: a, b"), std::string::npos) << refusal(many);
}

// Bug: the context of a server that does not tell it is found out in the middle of a run.
TEST_F(GraderTest, LearnsAContextByALongText) {
  teacher.tells_context = false;
  for (const Protocol protocol :
       {Protocol::vllm, Protocol::llamacpp, Protocol::sglang, Protocol::echo}) {
    settings.protocol = protocol;
    for (const bool named : {true, false}) {
      SCOPED_TRACE(fmt::format("{} {}", protocol_name(protocol), named));
      teacher.context = 52;
      if (named) {
        teacher.too_long =
            R"({"error":{"message":"This model's maximum context length is 52 tokens."}})";
      } else {
        teacher.too_long = ToyTeacher{tokenizer}.too_long;
      }
      const LoopbackServer server(teacher.handler(protocol));
      const auto one = grader(server);
      one->try_length(51);
      EXPECT_EQ(one->facts().positions, 0) << "it holds them";
      const size_t before = server.requests().size();
      one->try_length(200);
      // llama.cpp's writes what it grades; the others a token more.
      EXPECT_EQ(one->facts().positions, named || protocol != Protocol::llamacpp ? 52 : 53);
      EXPECT_LE(server.requests().size() - before, named ? 1 : 9);
      expect_right(one->grade(requests()), 4);
    }
  }
}

// Bug: it is not tried again later, and the run must not lose what it has learned so far.
TEST_F(GraderTest, ATextThatIsTooLongStopsTheRunForAPerson) {
  teacher.context = 40;
  const LoopbackServer server([this](const ServedRequest& request) {
    ServedReply reply = teacher.reply(Protocol::vllm, request);
    const size_t at = reply.body.find("\"max_model_len\":40");
    if (at != std::string::npos) reply.body.replace(at, 18, "\"max_model_len\":400");
    return reply;
  });
  try {
    const GradeRequest request{.tokens = std::vector<int32_t>(50, 5)};
    grader(server)->grade({&request, 1});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::stopped) << error.what();
    EXPECT_NE(error.hint().find("longer context"), std::string::npos) << error.hint();
  }
}

TEST_F(GraderTest, WhatAWireCannotDoIsRefusedByName) {
  const LoopbackServer server(teacher.handler(Protocol::echo));
  settings.protocol = Protocol::echo;
  settings.k = 20;
  EXPECT_NE(refusal(server).find("at most 5 candidates"), std::string::npos) << refusal(server);
}

}  // namespace
}  // namespace alambic::grader_test
