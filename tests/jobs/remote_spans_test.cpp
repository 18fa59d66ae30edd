// Distilling from a teacher behind an address into a student with a tokenizer of its own.
#include "tests/jobs/served_teacher.h"

namespace alambic::remote_spans_test {
namespace {

// One number a span is what every server gives, and a server
// of ours gives distributions over pieces too.
struct RemoteSpans : RemoteTeacherTest {
  void SetUp() override {
    RemoteTeacherTest::SetUp();
    const Tokenizer own =
        Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers/gpt2");
    save_model(*random_model(small_llama_config(own.size()), 4), folder / "other",
               Json{{"eos_token_id", own.id_of("<|end|>").value()}});
    own.save_to(folder / "other");
    serve();
  }
  DistillOptions aligned(const std::string& out, CrossTokenizer by, bool far) const {
    DistillOptions options = distillation(out);
    options.student = at("other");
    options.teachers.cross_tokenizer = by;
    options.training.micro_batch_size = 1;  // as the server computes
    if (!far) return options;
    options.teachers.teacher = {server->address() + "/v1"};
    options.teachers.remote.tokenizer = at("teacher");
    return options;
  }
};

// Bug: a span that another machine grades is another number.
TEST_F(RemoteSpans, AreThoseOfTheSameTeacherHere) {
  for (const double lmbda : {1.0, 0.0}) {
    const std::string suffix = lmbda > 0 ? "-own" : "-given";
    for (const bool far : {false, true}) {
      DistillOptions options = aligned((far ? "far" : "here") + suffix, CrossTokenizer::span, far);
      options.lmbda = lmbda;
      jobs::distill(options);
    }
    expect_same_figures("here" + suffix, "far" + suffix, "span_reverse_kl");
  }
  for (const std::string& body : asked()) {
    EXPECT_EQ(body.find("\"prompt_logprobs\":8"), std::string::npos) << "one number a token";
  }
}

TEST_F(RemoteSpans, PiecesComeFromTheHiddenStatesOfAServerOfOurs) {
  served->ours = true;
  for (const bool far : {false, true}) {
    jobs::distill(aligned(far ? "far" : "here", CrossTokenizer::pieces, far));
  }
  EXPECT_EQ(weights_of("far"), weights_of("here"));
  // One number a span is enough for spans.
  jobs::distill(aligned("spans", CrossTokenizer::span, true));
  EXPECT_EQ(server->requests().back().body.find("hidden"), std::string::npos);
}

// Bugs: what the tokens of a server say is another loss than the same teacher's here; of some
// tokens it is more than of all.
TEST_F(RemoteSpans, PiecesOfTheMostLikelyTokensAreAtMostThoseOfAll) {
  jobs::distill(aligned("here", CrossTokenizer::pieces, false));
  const auto far = [&](const std::string& out, int64_t K) {
    DistillOptions options = aligned(out, CrossTokenizer::pieces, true);
    options.loss.kd_topk = K;
    jobs::distill(options);
    return metrics_of(out);
  };
  const auto whole = metrics_of("here"), all = far("all", served->loaded.vocabulary),
             some = far("some", 4);
  ASSERT_EQ(all.size(), whole.size());
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_NEAR(all[i]["loss"].get<double>(), whole[i]["loss"].get<double>(), 1e-4);
    EXPECT_NEAR(all[i]["topk_piece_forward_kl"].get<double>(),
                whole[i]["piece_forward_kl"].get<double>(), 1e-4);
    EXPECT_NEAR(all[i]["teacher_known_mass"].get<double>(), 1, 1e-5);
  }
  EXPECT_LT(some[0]["loss"].get<double>(), all[0]["loss"].get<double>());
  EXPECT_GT(some[0]["loss"].get<double>(), 0.02 * all[0]["loss"].get<double>());
  EXPECT_LT(some[0]["teacher_known_mass"].get<double>(), 0.99);
}

TEST_F(RemoteSpans, WhatTheyLackIsRefusedByName) {
  const std::pair<const char*, std::function<void(DistillOptions&)>> cases[] = {
      {"--teacher-tokenizer", [](DistillOptions& o) { o.teachers.remote.tokenizer = ""; }},
      {"--kd-topk 20",
       [](DistillOptions& o) { o.teachers.cross_tokenizer = CrossTokenizer::pieces; }},
      {"--kd-topk-by teacher",
       [](DistillOptions& o) {
         o.teachers.cross_tokenizer = CrossTokenizer::pieces;
         o.loss.kd_topk = 4;
         o.loss.kd_topk_by = TopKBy::both;
       }},
      {"distributions of",
       [&](DistillOptions& o) {
         o.teachers = distillation("run").teachers;
         o.teachers.cross_tokenizer = CrossTokenizer::pieces;
         o.loss.kd_topk = 4;
       }},
      {"--cross-tokenizer span",
       [](DistillOptions& o) { o.teachers.cross_tokenizer = CrossTokenizer::none; }},
      {"--temperature", [](DistillOptions& o) { o.sampling.temperature = 0.7; }}};
  for (const auto& [name, change] : cases) {
    DistillOptions options = aligned("run", CrossTokenizer::span, true);
    change(options);
    try {
      jobs::distill(options);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_NE((error.what() + error.hint()).find(name), std::string::npos) << error.what();
    }
  }
  const Findings findings = jobs::check(aligned("run", CrossTokenizer::span, true));
  EXPECT_NE(verdict(findings), Level::refused) << table(findings);
  EXPECT_NE(table(findings).find("one number a span"), std::string::npos) << table(findings);
}

}  // namespace
}  // namespace alambic::remote_spans_test
