#pragma once

#include "alambic/jobs/sharding_options.h"
#include "alambic/remote/protocol.h"
#include "alambic/tensor/machine_options.h"

namespace alambic {

/// How a teacher with another tokenizer grades.
enum class CrossTokenizer { none, span, pieces };

/// What is multiplied with a teacher's FP8 weights, as their config.json and vLLM call it.
enum class ActivationScheme { none, dynamic };

/// Teachers behind an address.
struct RemoteOptions {
  Protocol protocol = Protocol::automatic;
  std::string key_env, key_file, tokenizer, local, price;
  double timeout = 600, budget = 0, noise = 0.05;
  int64_t retries = 5, in_flight_tokens = 65536, budget_tokens = 0;
  bool strict = false;

  void visit(OptionVisitor& v) {
    v.choice("teacher-protocol", protocol,
             {{"auto", Protocol::automatic},
              {"vllm", Protocol::vllm},
              {"llamacpp", Protocol::llamacpp},
              {"sglang", Protocol::sglang},
              {"echo", Protocol::echo},
              {"alambic", Protocol::alambic},
              {"chat", Protocol::chat}},
             "how teachers behind an address are spoken to; auto: as their list of models says; "
             "vllm serves TRL's server too; echo: completions that repeat their prompt "
             "(Fireworks); chat: text alone, for --completions-by teacher")
        .only_with("teacher");
    v.text("teacher-tokenizer", tokenizer,
           "folder with the tokenizer of teachers behind an address; none: the student's")
        .path()
        .only_with("teacher");
    v.text("teacher-key-env", key_env,
           "environment variable with the key of teachers behind an address; none: "
           "ALAMBIC_KEY_ and the host's name, as ALAMBIC_KEY_API_OPENAI_COM, where there is one")
        .only_with("teacher")
        .not_with("teacher-key-file");
    v.text("teacher-key-file", key_file, "file with that key, which others may not read")
        .path()
        .only_with("teacher");
    v.number("teacher-timeout", timeout,
             "seconds that a server may take for a reply, and longest "
             "wait that it may ask for",
             {.min = 0.1})
        .only_with("teacher");
    v.integer("teacher-retries", retries,
              "tries after the first, of a request that a server did "
              "not answer",
              {.min = 0})
        .only_with("teacher");
    v.integer("teacher-in-flight-tokens", in_flight_tokens,
              "tokens that a server has to work at, at a time", {.min = 1})
        .only_with("teacher");
    v.number("teacher-noise", noise,
             "nats by which a server may grade one text differently from one time to the next",
             {.min = 0})
        .only_with("teacher");
    v.flag("strict-teacher", strict,
           "--resume refuses a server whose version is another one than when the run began, or "
           "whose grades of the probe's text differ by more than 0.001 nats, which is else a "
           "warning")
        .only_with("teacher");
    v.text("teacher-local", local,
           "folder with a copy of the one teacher behind an address: it grades the probe's text "
           "too, and a difference above --teacher-noise refuses the server")
        .model()
        .only_with("teacher");
    v.text("teacher-price", price,
           "IN,OUT: what a million tokens cost to read and to write, for --teacher-budget and the "
           "record")
        .only_with("teacher");
    v.number("teacher-budget", budget,
             "most that all requests of the run may cost, by --teacher-price; the run stops before "
             "(exit code 75); 0: no limit",
             {.min = 0})
        .only_with("teacher-price");
    v.integer("teacher-budget-tokens", budget_tokens,
              "most tokens that servers may read and write for the run; 0: no limit", {.min = 0})
        .only_with("teacher");
  }
};

struct TeacherOptions {
  std::vector<std::string> teacher, weight;
  DtypeChoice dtype = DtypeChoice::automatic;
  ActivationScheme activation_scheme = ActivationScheme::none;
  TeacherWeightsChoice weights = TeacherWeightsChoice::automatic;
  int64_t ranks = 0, max_staleness = 0;
  CrossTokenizer cross_tokenizer = CrossTokenizer::none;
  int64_t span_lookahead = 1;
  std::string cache;
  DtypeChoice cache_dtype = DtypeChoice::bfloat16;
  int64_t cache_topk = 0;
  RemoteOptions remote;

  void visit(OptionVisitor& v) {
    v.list("teacher", teacher,
           "model folder that grades, or the address of a server, https://host[:port][/v1][#model] "
           "(docs/remote.md); NAME=FOLDER several times: each row is graded by the one "
           "that its `teacher` field names; self: the student as it is, which then needs rows with "
           "`teacher_prompt`")
        .model();
    v.list("teacher-weight", weight,
           "NAME=SHARE for every teacher: all of them grade every row, and the loss is the "
           "weighted mean of the divergences; shares sum to 1")
        .not_with("completions-by teacher",
                  {.reason = "it is not said which teacher writes the completion of a row",
                   .hint = "without it each row's `teacher` field says so"});
    v.choice("teacher-dtype", dtype, dtype_choices(),
             "type of the teachers' weights in memory; auto: as --dtype");
    v.choice("teacher-activation-scheme", activation_scheme,
             {{"none", ActivationScheme::none}, {"dynamic", ActivationScheme::dynamic}},
             "products with a teacher's FP8 weights in tiles of 128 x 128 (DeepSeek-V3): none "
             "decodes them to --teacher-dtype; dynamic multiplies in FP8, hidden states rounded to "
             "e4m3 with a scale to every 128 numbers, which changes the grades (docs/numerics.md) "
             "and wants a card of compute capability 9.0")
        .only_with("teacher")
        .not_with("teacher-cache", {.reason = "it does not say how its grades were multiplied"})
        .not_with("teacher-weights sharded", {.reason = "layers that come and go are decoded"})
        .not_with("teacher-weights host", {.reason = "layers that come and go are decoded"});
    v.choice(
         "teacher-weights", weights,
         {{"auto", TeacherWeightsChoice::automatic},
          {"resident", TeacherWeightsChoice::resident},
          {"sharded", TeacherWeightsChoice::sharded},
          {"host", TeacherWeightsChoice::host}},
         "where a teacher's layers are between its passes: resident on every device; sharded, a "
         "part on each rank, gathered layer by layer; host, in the machine's memory and copied "
         "layer by layer; the grades are the same; auto: resident")
        .not_with("teacher-cache", {.reason = "its grades are read from the disk"})
        .not_with("teacher-mix", {.reason = "it writes token by token, which needs it whole"});
    v.integer(
         "teacher-ranks", ranks,
         "how many of a job's ranks, the last ones, have the teachers alone and grade what the "
         "others write, who have the student alone; the result is the same; 0: every rank has "
         "both",
         {.min = 0})
        .only_with("teacher")
        .not_with("teacher-cache", {.reason = "its grades are read from the disk"})
        .not_with(
            "teacher-mix",
            {.reason = "it writes token by token, which needs the teacher beside the student"})
        .not_with(
            "completions-by teacher",
            {.reason = "rank 0 would load the teacher, which then writes before the first step",
             .hint = "a run without --teacher-ranks writes them to --teacher-completions"});
    v.integer(
         "max-staleness", max_staleness,
         "1: the student writes a step's completions one step before it learns from them, while "
         "the teacher's ranks grade those of the present step (one step off-policy); drawn tokens "
         "are weighted by their importance; 0: completions of the present weights",
         {.min = 0, .max = 1})
        .only_with("teacher-ranks");
    v.choice("cross-tokenizer", cross_tokenizer,
             {{"none", CrossTokenizer::none},
              {"span", CrossTokenizer::span},
              {"pieces", CrossTokenizer::pieces}},
             "a teacher with another tokenizer: none refuses it; otherwise it reads the bytes that "
             "the student wrote in tokens of its own, and runs of tokens of both that write the "
             "same bytes (spans) are compared; span: on the student's own completions by a policy "
             "gradient with the whole span's advantage (--objective reverse_kl), on given "
             "completions by the divergence of {the span, anything else}; pieces: by any "
             "divergence of the distributions over the strings that are tokens of both")
        .not_with("hidden-weight", {.reason = "the positions of the models are others"})
        .not_with("teacher-mix", {.reason = "no token is the same for both"});
    v.integer("span-lookahead", span_lookahead,
              "a span has the advantages of this many next ones too: what a student knows of the "
              "text to come by its own tokens is then paid back; 0: its own alone",
              {.min = 0})
        .only_with("cross-tokenizer span");
    v.text("teacher-cache", cache,
           "folder that keeps the teachers' grades of the given completions (--lmbda 0): filled "
           "once, "
           "then replayed without running the teachers")
        .path()
        .only_with("lmbda 0",
                   {.reason = "it keeps grades of given completions, not of the student's own",
                    .hint = "--lmbda 0 learns from given completions only"});
    v.choice("teacher-cache-dtype", cache_dtype,
             {{"float32", DtypeChoice::float32}, {"bfloat16", DtypeChoice::bfloat16}},
             "type of the kept hidden states")
        .only_with("teacher-cache")
        .not_with("teacher-cache-topk", {.reason = "log-probabilities are kept in float32"});
    v.integer("teacher-cache-topk", cache_topk,
              "keep this many most likely tokens with their log-probabilities in place of hidden "
              "states, 8 bytes each: for runs with --kd-topk up to it and the same "
              "--kd-temperature; 0: hidden states, for any objective",
              {.min = 0})
        .only_with("teacher-cache")
        .only_with(
            "kd-topk",
            {.reason =
                 "the loss without it is over all tokens, of which the cache has no probabilities",
             .hint = "--kd-topk up to --teacher-cache-topk, or a cache of hidden states"})
        .only_with("kd-topk-by teacher",
                   {.reason = "the teacher's own most likely tokens are kept, not the student's",
                    .hint = "--kd-topk-by teacher, or a cache of hidden states"});
    remote.visit(v);
  }
};

/// "math=models/m" is {"math", "models/m"}; a folder alone, even one with a '=' in its name, has no
/// name.
struct NamedFolder {
  std::string name, folder;  ///< the folder may be an address (remote/endpoint.h)
};
NamedFolder parse_teacher(const std::string& text);
/// Errors: several teachers of which one has no name, a name twice.
std::vector<NamedFolder> parse_teachers(const std::vector<std::string>& texts);

/// Shares of the teachers in their order; empty when there are none. Errors: a teacher without a
/// share, a share without a teacher, shares that do not sum to one.
std::vector<double> parse_shares(const std::vector<std::string>& shares,
                                 const std::vector<NamedFolder>& teachers);

}  // namespace alambic
