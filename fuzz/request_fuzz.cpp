// Bodies of requests to the server: any is answered or refused, none with a 500.
#include "alambic/serve/server.h"
#include "alambic/text/tokenizer/bpe_trainer.h"
#include "fuzz/fuzz.h"

namespace alambic {

namespace {

constexpr const char* paths[] = {"/v1/completions", "/v1/chat/completions", "/v1/grade",
                                 "/tokenize", "/detokenize"};

struct ServerUnderTest {
  Tokenizer tokenizer =
      Tokenizer::parse("bytes", BpeTrainer({.vocabulary = 257, .special = {"</s>"}}).train());
  ChatTemplate chat_template = ChatTemplate::parse(
      "plain", "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}");
  std::string head = "head";
  WorkQueue queue{{.waiting = 64, .waiting_tokens = 4096}};
  ServerMetrics metrics;
  Server server{{},
                {{.name = "m",
                  .tokenizer = &tokenizer,
                  .chat_template = &chat_template,
                  .context = 256,
                  .vocabulary = 257,
                  .head = [this]() -> const std::string& { return head; },
                  .head_digest = [this]() -> const std::string& { return head; }}},
                queue,
                metrics};
};

// Writes two tokens to every sequence, and ends what is to be graded without rows.
void answer_all(WorkQueue& queue) {
  for (const auto& job : queue.take_sequences(0, 64)) {
    for (const int32_t id : {66, 195}) {
      job->add({.id = id, .logp = -1, .alternatives = {{66, -1.0f}, {195, -2.0f}}});
    }
    job->end(JobEnd::length);
  }
  while (const auto job = queue.take_grade(0)) {
    Grades grades{.offsets = {0}, .k = job->k, .width = 1, .dtype = "F32"};
    const auto rows = static_cast<size_t>(job->rows());
    grades.logp.resize(rows);
    grades.rank.resize(rows);
    grades.topk_logp.resize(rows * static_cast<size_t>(job->k));
    grades.topk_token.resize(rows * static_cast<size_t>(job->k));
    if (job->hidden) grades.hidden.resize(4 * rows);
    for (size_t s = 0; s < job->sequences.size(); ++s) {
      grades.offsets.push_back(grades.offsets.back() + std::ssize(job->sequences[s]) -
                               job->from[s]);
    }
    job->end(std::move(grades));
  }
}

void check_status(const HttpAnswer& answer) {
  if (answer.status < 500 || answer.status == 503) return;
  say("status {}: {}", answer.status, answer.body);
  std::abort();
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {
      R"(0{"prompt": "ab", "max_tokens": 3, "stop": ["x"], "logprobs": 2, "echo": true, "seed": 1})",
      R"(0{"prompt": [[65, 66], [67]], "n": 2, "prompt_logprobs": 1, "logit_bias": {"3": -1.5}})",
      R"(1{"messages": [{"role": "user", "content": "hi"}], "logprobs": true, "stream": true})",
      R"(2{"sequences": [[1, 2, 3]], "from": [1], "topk": 2, "temperature": 0.5})",
      R"(2{"sequences": [[1, 2, 3], [4]], "hidden": true})",
      R"(3{"prompt": "text", "return_token_strs": true})",
      R"(4{"tokens": [1, 2, 256]})"};
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  static ServerUnderTest test;
  if (size == 0) return 0;
  const std::string text(text_of(data, size));
  // '0' is the first path.
  ServerRequest call{.method = "POST", .path = paths[(static_cast<uint8_t>(text[0]) + 2) % 5]};
  call.body = text.substr(1);
  parse_or_refuse([&] {
    HttpReply reply = test.server.reply(call, [] {});
    if (const auto* whole = std::get_if<HttpAnswer>(&reply)) return check_status(*whole);
    PendingAnswer& answer = *std::get<std::unique_ptr<PendingAnswer>>(reply);
    answer_all(test.queue);
    std::string stream;
    if (answer.streams()) {
      while (answer.read(stream)) continue;
    } else if (const std::optional<HttpAnswer> whole = answer.whole()) {
      check_status(*whole);
    }
  });
  return 0;
}
