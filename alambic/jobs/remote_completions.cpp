#include "alambic/jobs/remote_completions.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/progress.h"
#include "alambic/base/stopwatch.h"
#include "alambic/jobs/remote_teachers.h"
#include "alambic/remote/writer.h"
#include "alambic/text/chat/chat_tokens.h"

namespace alambic {
namespace {

// The token by which the student ends what it writes.
int32_t end_token(const DistillPlan& plan) {
  const Pretrained& student = plan.student.model;
  if (plan.chats.used()) {
    const auto end = end_of_turn(plan.chats.chat_template(), student.tokenizer);
    if (end) return *end;
  }
  check(!plan.engine.stop_tokens.empty(), "a student without a stop token");
  return plan.engine.stop_tokens.front();
}

WriteRequest request_of(const DistillPlan& plan, const RemotePrompt& prompt, bool chats) {
  const Example row = plan.rows[prompt.row];
  WriteRequest request;
  if (row.teacher_prompt && (chats || row.chat)) {
    request.messages = {{"user", *row.teacher_prompt}};
  } else if (row.chat) {
    const auto messages = prompt_messages(*row.chat);
    for (const auto& message : messages) {
      if (!message["content"].is_string()) {
        throw input_error("{}: a message that is not plain text, which a server is not sent",
                          row.place);
      }
      request.messages.emplace_back(message["role"], message["content"]);
    }
  } else if (chats) {
    request.messages = {{"user", row.prompt}};
  } else {
    request.tokens = prompt.tokens;
  }
  return request;
}

}  // namespace

LongPrompts ask_completions(const DistillPlan& plan, const PlannedTeacher& teacher,
                            const std::vector<RemotePrompt>& prompts, CompletionFile& file) {
  const DistillOptions& options = plan.options;
  const RemoteOptions& remote = options.teachers.remote;
  const Endpoint& endpoint = *teacher.endpoint;
  const std::shared_ptr<Budget>& budget = plan.budget;
  RemoteWriter writer(endpoint, key_of(endpoint, remote.key_env, remote.key_file),
                      client_options(remote), budget);
  const bool chats = remote.protocol == Protocol::chat || chat_form(endpoint) != ChatForm::openai;
  std::vector<WriteRequest> requests;
  for (const RemotePrompt& prompt : prompts) requests.push_back(request_of(plan, prompt, chats));
  if (options.completions.top_k > 0) {
    warn("--teacher-top-k is not sent to {}: chats of OpenAI's form have no such field",
         endpoint.name());
  }
  const WriteSettings settings{.temperature = options.completions.temperature,
                               .top_p = options.completions.top_p,
                               .max_tokens = options.max_completion_length,
                               .seed = options.training.seed};
  const Tokenizer& tokenizer = plan.student.model.tokenizer;
  const int32_t end = end_token(plan);
  Stopwatch watch;
  Progress progress("teacher's answers", std::ssize(prompts));
  int64_t done = 0, ended = 0;
  LongPrompts refused;
  writer.write(requests, settings, [&](size_t i, const WrittenText& written) {
    if (written.too_long) {
      refused.rows.push_back(prompts[i].row);
      refused.context = written.context;
      return;
    }
    std::vector<int32_t> tokens = tokenizer.encode_continuation(written.text);
    if (written.ended || tokens.empty()) tokens.push_back(end);
    ended += written.ended;
    file.add(teacher.source.name, prompts[i].tokens, tokenizer.decode(prompts[i].tokens, true),
             written.text,
             {.tokens = std::move(tokens), .ended = written.ended, .usage = written.usage});
    progress.update(++done, "write",
                    remote.price.empty() ? "" : fmt::format("cost {:.4g}", budget->cost()));
  });
  progress.finish();
  const Usage& spent = budget->spent();
  say("{} wrote {} completions in {:.1f} s: {} tokens read and {} written{}; {:.0f} % ended by "
      "themselves",
      endpoint.name(), done, watch.seconds(), spent.input_tokens, spent.output_tokens,
      remote.price.empty() ? "" : fmt::format(", cost {:.4g}", budget->cost()),
      100 * static_cast<double>(ended) / static_cast<double>(std::max<int64_t>(1, done)));
  return refused;
}

}  // namespace alambic
