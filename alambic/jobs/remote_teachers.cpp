#include "alambic/jobs/remote_teachers.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/jobs/local_copy.h"
#include "alambic/report/run_files.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

std::shared_ptr<Budget> budget_of(const RemoteOptions& options) {
  return std::make_shared<Budget>(options.budget, options.budget_tokens,
                                  parse_prices("--teacher-price", options.price));
}

ClientOptions client_options(const RemoteOptions& options) {
  return {.seconds = options.timeout,
          .retries = options.retries,
          .tokens_in_flight = options.in_flight_tokens};
}

namespace {

// What no server can do.
void check_one(const DistillOptions& options, const Objective& objective, const std::string& name) {
  const ObjectiveOptions& loss = options.loss;
  if (loss.hidden_weight > 0) {
    throw input_error("--hidden-weight compares layers, which {} does not show", name);
  }
  if (loss.teacher_mix > 0) {
    throw input_error("--teacher-mix draws with the teacher token by token, and {} is far away",
                      name);
  }
  if (!objective.compares_tokens()) return;
  if (options.teachers.remote.protocol == Protocol::chat) {
    throw input_error("--teacher-protocol chat gives text, and --objective {} learns from grades",
                      loss.objective)
        .with_hint("--completions-by teacher --objective cross_entropy --lmbda 0");
  }
  if (options.teachers.cross_tokenizer != CrossTokenizer::none &&
      options.teachers.remote.tokenizer.empty()) {
    throw input_error("--cross-tokenizer: the tokenizer of {} is not known", name)
        .with_hint(
            "--teacher-tokenizer FOLDER, with its chat template where the data has messages");
  }
  if (!options.teachers.cache.empty()) {
    throw input_error("--teacher-cache keeps grades of teachers of this machine; {} is a server",
                      name)
        .with_hint("replies of servers are kept in the run's folder, and none is asked for twice");
  }
}

// What a server that grades spans in another tokenizer's tokens by one number each cannot do.
void check_span_grades(const DistillOptions& options, const std::string& name) {
  const bool own = options.lmbda > 0 && options.sampling.temperature != 1;
  if (!own && options.loss.kd_temperature == 1) return;
  throw input_error("{}: {} grades at temperature 1",
                    own ? fmt::format("--temperature {}", options.sampling.temperature)
                        : fmt::format("--kd-temperature {}", options.loss.kd_temperature),
                    name)
      .with_hint(own ? "--temperature 1" : "--kd-temperature 1");
}

// What a server that gives the K most likely tokens, or one number a token, cannot do.
void check_grades_suffice(const DistillOptions& options, const Objective& objective,
                          const std::string& name, int64_t vocabulary) {
  const ObjectiveOptions& loss = options.loss;
  const bool compares = !objective.divergence.terms.empty();
  if (compares && loss.kd_topk == 0) {
    throw input_error(
        "--objective {} compares the probabilities of all tokens, of which {} gives the most "
        "likely ones",
        loss.objective, name)
        .with_hint(options.teachers.cross_tokenizer == CrossTokenizer::pieces
                       ? "--kd-topk 20 takes so many and what they say of the others; "
                         "--cross-tokenizer span needs one number a token; `alambic serve` gives "
                         "all"
                       : "--kd-topk 20 compares so many and one bucket for all others; "
                         "--objective sampled_reverse_kl needs one number a token; `alambic "
                         "serve` gives all");
  }
  if (compares && loss.kd_topk_by != TopKBy::teacher) {
    throw input_error("--kd-topk-by: {} gives its own most likely tokens, not the student's", name)
        .with_hint("--kd-topk-by teacher");
  }
  if (compares && loss.kd_temperature != 1 && loss.kd_topk < vocabulary) {
    throw input_error(
        "--kd-temperature {}: {} grades at temperature 1, and its {} most likely tokens do not say "
        "how all {} look at another one",
        loss.kd_temperature, name, loss.kd_topk, vocabulary)
        .with_hint("--kd-temperature 1");
  }
  if (objective.policy.reads_teacher() && options.sampling.temperature != 1) {
    throw input_error(
        "--temperature {}: {} grades at temperature 1, and --objective {} learns from "
        "the distribution that tokens are drawn from",
        options.sampling.temperature, name, loss.objective)
        .with_hint("--temperature 1");
  }
}

}  // namespace

void check_remote(const DistillOptions& options, const Objective& objective) {
  for (const NamedFolder& teacher : parse_teachers(options.teachers.teacher)) {
    if (!is_endpoint(teacher.folder)) continue;
    const std::string name = parse_endpoint(teacher.folder).name();
    check_one(options, objective, name);
    const Protocol protocol = options.teachers.remote.protocol;
    // Of a server that says itself what it is this comes when it has been asked.
    if (protocol == Protocol::automatic || protocol == Protocol::alambic) continue;
    if (options.teachers.cross_tokenizer != CrossTokenizer::span) {
      check_grades_suffice(options, objective, name, 0);
    } else if (objective.compares_tokens()) {
      check_span_grades(options, name);
    }
  }
  parse_prices("--teacher-price", options.teachers.remote.price);
}

namespace {

bool divergence_needs_states(const ObjectiveOptions& loss) {
  return loss.kd_topk == 0 || loss.kd_topk_by != TopKBy::teacher || loss.kd_temperature != 1;
}

// Whether spans are compared, and not tokens or pieces: by one number each.
bool takes_spans(const DistillPlan& plan, bool aligned) {
  return aligned && plan.options.teachers.cross_tokenizer == CrossTokenizer::span;
}

// What only hidden states can tell. Spans take one number each, at the grades' temperature; pieces
// take all tokens, or as many as --kd-topk says.
bool needs_states(const DistillPlan& plan, bool aligned) {
  const Objective& objective = plan.objective;
  const bool compares = !objective.divergence.terms.empty();
  if (takes_spans(plan, aligned)) {
    return plan.options.loss.kd_temperature != 1 || plan.options.sampling.temperature != 1;
  }
  if (aligned) return plan.options.loss.kd_topk == 0;
  return (compares && divergence_needs_states(plan.options.loss)) ||
         (objective.policy.reads_teacher() && plan.options.sampling.temperature != 1);
}

GraderSettings settings_of(const DistillPlan& plan, const Endpoint& endpoint, bool aligned,
                           int64_t vocabulary) {
  const DistillOptions& options = plan.options;
  const RemoteOptions& remote = options.teachers.remote;
  const bool compares = !plan.objective.divergence.terms.empty() && !takes_spans(plan, aligned);
  const int64_t k = compares ? options.loss.kd_topk : 0;
  if (k > vocabulary) {
    throw input_error("--kd-topk is {}, but there are {} tokens", k, vocabulary);
  }
  return {.endpoint = endpoint,
          .protocol = remote.protocol,
          .key = key_of(endpoint, remote.key_env, remote.key_file),
          .client = client_options(remote),
          .k = k,
          .needs_logp = aligned || plan.objective.policy.reads_teacher(),
          .temperature = compares ? options.loss.kd_temperature : 1,
          .noise = remote.noise};
}

// A server's grades are of the student's tokens, unless runs of tokens are compared.
void check_tokenizer(const DistillPlan& plan, const PlannedTeacher& teacher) {
  if (teacher.difference.empty() || plan.options.teachers.cross_tokenizer != CrossTokenizer::none) {
    return;
  }
  throw input_error("cannot grade by {}: {}", teacher.endpoint->name(), teacher.difference)
      .with_hint(
          "--cross-tokenizer span compares runs of tokens that write the same bytes, pieces with "
          "--kd-topk what its most likely tokens say; --completions-by teacher and a judge need no "
          "common tokens");
}

void tell(const RemoteGrader& grader) {
  const ServerFacts& facts = grader.facts();
  say("{}: {} by {}, {}{:.0f} tokens/s one request at a time, {:.2g} nats between two grades of "
      "one text",
      grader.settings().endpoint.name(), facts.model, protocol_name(facts.protocol),
      facts.positions > 0 ? fmt::format("context {}, ", facts.positions) : "",
      facts.tokens_per_second, facts.noise);
}

}  // namespace

RemoteMember make_remote_teacher(const DistillPlan& plan, const PlannedTeacher& teacher) {
  check_tokenizer(plan, teacher);
  const bool aligned = !teacher.difference.empty();
  const auto other = aligned ? std::make_shared<const OtherTokenizer>(plan, teacher) : nullptr;
  const Tokenizer& tokenizer = other ? other->tokenizer() : plan.student.model.tokenizer;
  GraderSettings settings = settings_of(plan, *teacher.endpoint, aligned,
                                        aligned ? tokenizer.size() : plan.student.model.vocabulary);
  auto grader = std::make_shared<RemoteGrader>(settings, tokenizer, plan.budget);
  const bool ours = grader->identify().protocol == Protocol::alambic;
  const bool states = ours && needs_states(plan, aligned);
  if (states) {
    // What the probe looks at are a few candidates.
    settings.protocol = Protocol::alambic;
    settings.k = std::min<int64_t>(4, tokenizer.size());
    settings.temperature = 1;
    grader = std::make_shared<RemoteGrader>(settings, tokenizer, plan.budget);
  } else if (takes_spans(plan, aligned)) {
    check_span_grades(plan.options, teacher.endpoint->name());
  } else {
    check_grades_suffice(plan.options, plan.objective, teacher.endpoint->name(), tokenizer.size());
  }
  grader->probe();
  tell(*grader);
  check_local_copy(plan, *grader);
  if (!plan.options.run.out.empty()) {
    const std::string folder = teacher.source.name.empty() ? "teacher" : teacher.source.name;
    grader->keep_in(fs::path(plan.options.run.out) / run_files::remote / folder,
                    fmt::format("rank-{}", plan.world->rank()));
  }
  std::shared_ptr<const Teacher> made;
  if (states) {
    made = std::make_shared<RemoteStates>(std::make_shared<HiddenGrader>(grader));
  } else {
    made = std::make_shared<RemoteTeacher>(grader);
  }
  const bool compares = !takes_spans(plan, aligned) && !plan.objective.divergence.terms.empty();
  return {.teacher = std::move(made),
          .server =
              server_record(teacher.source.name, *grader, compares ? plan.options.loss.kd_topk : 0,
                            compares ? plan.options.loss.kd_temperature : 1),
          .grader = grader,
          .other = other};
}

}  // namespace alambic
