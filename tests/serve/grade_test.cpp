// /v1/grade and the addresses that tell of the server.
#include "alambic/base/files.h"
#include "alambic/io/safetensors.h"
#include "tests/serve/serve_fixture.h"

namespace alambic::grade_test {
namespace {

struct GradesTest : ServeTest {};

template <class T>
std::vector<T> values(const SafetensorsHeader& file, const std::string& name) {
  const TensorView* tensor = tensor_named(file.tensors, name);
  if (tensor == nullptr) return {};
  const auto* data = reinterpret_cast<const T*>(tensor->bytes.data());
  return {data, data + tensor->bytes.size() / sizeof(T)};
}

// Prevents: rows of a sequence placed at another's, a token graded by the row behind it.
TEST_F(GradesTest, AreOneRowForEachGradedToken) {
  start();
  const Json body = {{"model", "teacher"},
                     {"sequences", {{10, 20, 30, 40}, {50, 60}, {70}}},
                     {"from", {2, 1, 1}},
                     {"topk", 2},
                     {"tokenizer", byte_tokenizer().digest()}};
  const HttpResult result = post("/v1/grade", body);
  ASSERT_EQ(result.status, 200) << result.body;
  EXPECT_EQ(result.header("Content-Type"), "application/x-safetensors");
  const SafetensorsHeader file = parse_safetensors(std::as_bytes(std::span(result.body)), "grades");
  EXPECT_EQ(values<int64_t>(file, "offsets"), (std::vector<int64_t>{0, 2, 3, 3}));
  EXPECT_EQ(values<float>(file, "logp"), (std::vector<float>{-0.3f, -0.4f, -0.6f}));
  EXPECT_EQ(values<int32_t>(file, "token"), (std::vector<int32_t>{0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(tensor_named(file.tensors, "topk_logp")->shape, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(file.metadata.at("tokenizer"), byte_tokenizer().digest());
  const HttpResult as_json = post("/v1/grade", body, "Accept: application/json\r\n");
  const Json json = Json::parse(as_json.body);
  EXPECT_EQ(json["offsets"], Json::array({0, 2, 3, 3}));
  EXPECT_EQ(json["token"], Json::array({{0, 1}, {0, 1}, {0, 1}}));
  EXPECT_FLOAT_EQ(json["logp"][2], -0.6f);
  Json other = body;
  other["tokenizer"] = "00ff";
  EXPECT_NE(error_of(post("/v1/grade", other), 409).find("00ff"), std::string::npos);
}

TEST_F(GradesTest, AreHiddenStatesWhereTheseAreAskedFor) {
  start();
  const Json body = {{"sequences", {{10, 20, 30}}}, {"hidden", true}};
  const HttpResult result = post("/v1/grade", body);
  const SafetensorsHeader file = parse_safetensors(std::as_bytes(std::span(result.body)), "grades");
  ASSERT_EQ(file.tensors.size(), 2u);
  EXPECT_EQ(tensor_named(file.tensors, "hidden")->shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(file.metadata.at("head"), "head digest");
  error_of(post("/v1/grade", body, "Accept: application/json\r\n"), 406);
  const HttpResult head = http(port, "GET", "/v1/head?model=teacher");
  EXPECT_EQ(head.body, "head bytes");
  EXPECT_EQ(head.header("X-Head-Digest"), "head digest");
  error_of(http(port, "GET", "/v1/head?model=nobody"), 404);
}

TEST_F(GradesTest, TokensAndModelsAreTold) {
  start();
  const Json tokens = posted("/tokenize", {{"prompt", "ab"}, {"return_token_strs", true}});
  EXPECT_EQ(tokens["count"], 2);
  EXPECT_EQ(tokens["max_model_len"], 512);
  EXPECT_EQ(tokens["token_strs"], Json::array({"a", "b"}));
  EXPECT_EQ(posted("/detokenize", {{"tokens", tokens["tokens"]}})["prompt"], "ab");
  const Json chat = posted("/tokenize", {{"messages", {{{"role", "user"}, {"content", "x"}}}},
                                         {"add_generation_prompt", false}});
  EXPECT_EQ(chat["count"], 8);  // "user: x\n"
  const Json models = Json::parse(http(port, "GET", "/v1/models").body);
  ASSERT_EQ(models["data"].size(), 2);
  EXPECT_EQ(models["data"][1]["id"], "teacher");
  EXPECT_EQ(models["data"][1]["tokenizer"], byte_tokenizer().digest());
  EXPECT_EQ(Json::parse(http(port, "GET", "/v1/models/teacher").body), models["data"][1]);
  error_of(http(port, "GET", "/v1/models/nobody"), 404);
  const HttpResult page = http(port, "GET", "/");
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.body.find("http://"), page.body.find("http://www.w3.org/"));  // loads nothing
  EXPECT_EQ(page.body.find("https://"), page.body.npos);
  const Json openapi = Json::parse(http(port, "GET", "/openapi.json").body);
  for (const auto& path : openapi["paths"].items()) {
    for (const auto& method : path.value().items()) {
      const std::string address =
          path.key() == "/v1/models/{model}" ? "/v1/models/student" : path.key();
      const HttpResult result = http(port, method.key() == "get" ? "GET" : "POST", address, "{}");
      EXPECT_TRUE(result.status == 200 || result.status == 400) << path.key() << result.body;
    }
  }
}

// Prevents: half a line of a file that is being written, lines twice, and a restarted run unseen.
TEST_F(GradesTest, ARunIsFollowedLineByLine) {
  const fs::path run = fs::path(testing::TempDir()) / "followed_run";
  fs::create_directories(run);
  write_file(run / "metrics.jsonl", "{\"step\": 1}\n{\"step\": 2}\n{\"st");
  server_options.run = run;
  start();
  const Json first = Json::parse(http(port, "GET", "/run/metrics?after=0").body);
  EXPECT_EQ(first["run"], "followed_run");
  EXPECT_EQ(first["lines"], "{\"step\": 1}\n{\"step\": 2}\n");
  write_file(run / "metrics.jsonl", "{\"step\": 1}\n{\"step\": 2}\n{\"step\": 3}\n");
  const std::string next = std::to_string(first["next"].get<int64_t>());
  const Json second = Json::parse(http(port, "GET", "/run/metrics?after=" + next).body);
  EXPECT_EQ(second["lines"], "{\"step\": 3}\n");
  write_file(run / "metrics.jsonl", "{\"step\": 9}\n");
  const std::string end = std::to_string(second["next"].get<int64_t>());
  EXPECT_EQ(Json::parse(http(port, "GET", "/run/metrics?after=" + end).body)["lines"],
            "{\"step\": 9}\n");
  EXPECT_EQ(Json::parse(http(port, "GET", "/run/samples").body)["lines"], "");
  error_of(http(port, "GET", "/run/metrics?after=-1"), 400);
  error_of(http(port, "GET", "/run/metrics?after=x"), 400);
}

}  // namespace
}  // namespace alambic::grade_test
