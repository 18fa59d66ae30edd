// Text to token ids and back, from a Hugging Face model folder's tokenizer.json.
//
// The ids are those of the `tokenizers` library for the same file. Which tokens are added to it,
// with which flags, and what goes around a text is as in transformers 5.23's AutoTokenizer
// (token_facts.h): add_bos_token and add_eos_token of tokenizer_config.json count only where there
// is no tokenizer.json, whose post-processor says it. How text is cut, tokenizer.json decides:
// transformers rebuilds a LlamaTokenizer from the vocabulary alone, and its ids for text with
// leading spaces then differ from its own file's; llama.cpp and we follow the file. Character
// classes are Unicode 14's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/text/tokenizer/added_tokens.h"
#include "alambic/text/tokenizer/decoder.h"
#include "alambic/text/tokenizer/normalizer.h"
#include "alambic/text/tokenizer/post_processor.h"
#include "alambic/text/tokenizer/pre_tokenizer.h"
#include "alambic/text/tokenizer/token_model.h"
#include "alambic/text/tokenizer/token_roles.h"

namespace alambic {

struct TokenFacts;

/// Ids of the tokens that have a role; nothing where the model folder names none.
struct SpecialTokens {
  std::optional<int32_t> bos, eos, pad, unk;
};

/// A stretch of a text and its ids: one added token, or what lies between them.
struct Stretch {
  std::string_view text;
  std::vector<int32_t> ids;
  bool added = false;
};

/// Where a tokenizer.json is from: the folder, or made here of a folder's or file's vocabulary.
enum class TokenizerJson { of_folder, made_here };

/// Move-only. All const members are safe from many threads at once.
class Tokenizer {
 public:
  /// Reads tokenizer.json, or what older folders have in its place (vocabulary_files.h), and, where
  /// they exist, tokenizer_config.json, special_tokens_map.json, added_tokens.json, and config.json
  /// for bos/eos ids that none of them names. Errors name the file, the field, what was found there
  /// and, for a "type" that is not built, the known ones.
  static Tokenizer load(const fs::path& model_folder);

  /// The same from the files' bytes under their names. A tokenizer.json that was `made_here` is
  /// completed by the tokens and by what goes around a text. `model_config` is config.json's, or
  /// ""; errors call the files by their names in `folder`.
  static Tokenizer from_files(const fs::path& folder, std::map<std::string, std::string> files,
                              TokenizerJson origin = TokenizerJson::of_folder,
                              const std::string& model_config = "");

  /// Tokenizer from the bytes of a tokenizer.json alone; errors call it `name`.
  static Tokenizer parse(const std::string& name, std::string_view tokenizer_json);

  /// Token ids of `text`; special tokens written out in the text become their ids. With
  /// `add_special`, those that the model expects around a text (usually BOS). Bytes that are not
  /// UTF-8 become U+FFFD, as Python's errors="replace".
  std::vector<int32_t> encode(std::string_view text, bool add_special = true) const;

  /// The same ids, without those around the text, by the stretches of `text`, which must be valid
  /// UTF-8 and outlive them. `at_start`: nothing precedes the text.
  std::vector<Stretch> encode_stretches(std::string_view text, bool at_start = true) const;

  /// Text of the ids; ids that no token has are left out, as in `tokenizers`. Bytes that do not
  /// form UTF-8 become U+FFFD. `skip_special` leaves out special tokens.
  std::string decode(std::span<const int32_t> ids, bool skip_special = false) const;

  /// Ids of bytes that go on from a text: nothing is put before or around them, and special tokens
  /// that they spell out stay text. What is no UTF-8 (a character that was cut) becomes the tokens
  /// of its bytes; a byte that has none is left out.
  std::vector<int32_t> encode_continuation(std::string_view bytes) const;

  /// Bytes that a token stands for within a text; none for special and unknown tokens and for ids
  /// that no token has. Nothing where they depend on the neighbors (WordPiece).
  std::optional<std::string> bytes_of(int32_t id) const;

  /// Largest token id + 1, added tokens included. A model's embedding may have more rows.
  int64_t size() const;
  std::optional<int32_t> id_of(std::string_view token) const;
  /// The token as tokenizer.json writes it ("Ġthe", "▁the"); "" when no token has this id.
  std::string token_of(int32_t id) const;
  /// A special token such as BOS, which `decode(…, skip_special)` leaves out.
  bool is_special(int32_t id) const;

  const TokenRoles& roles() const { return roles_; }
  const SpecialTokens& special() const { return special_; }
  std::optional<int32_t> bos() const { return special_.bos; }
  std::optional<int32_t> eos() const { return special_.eos; }
  std::optional<int32_t> pad() const { return special_.pad; }
  std::optional<int32_t> unk() const { return special_.unk; }

  /// Writes tokenizer.json and its companions (tokenizer_config.json, special_tokens_map.json,
  /// chat_template.jinja, vocab.json, merges.txt, …) as they were when loaded, byte for byte.
  void save_to(const fs::path& folder) const;

  /// Those files: names and bytes.
  const std::map<std::string, std::string>& files() const { return files_; }

  /// SHA-256 of tokenizer.json in hexadecimal.
  std::string digest() const;

 private:
  Tokenizer() = default;
  void read(const std::string& name, std::string_view bytes);
  void read_added_tokens(const JsonView& root);
  void add_token(AddedToken token);
  void apply(const TokenFacts& facts, TokenizerJson origin);
  void complete_file();
  void apply_model_config(const JsonView& config);
  void index_added_tokens();
  void tokenize_between(std::string_view text, bool at_start, std::vector<int32_t>& ids) const;
  void tokenize_continuation(std::string_view text, std::vector<int32_t>& ids) const;
  void tokenize_as_text(std::string_view text, std::vector<int32_t>& ids) const;
  void tokenize_broken(std::string_view bytes, std::vector<int32_t>& ids) const;
  std::string normalize_inside(std::string_view text) const;
  std::optional<int32_t> id_of_byte(unsigned char byte) const;

  std::map<std::string, std::string> files_;  // name in the folder -> bytes
  std::unique_ptr<Normalizer> normalizer_;    // may be null, as the next and the decoder
  std::unique_ptr<PreTokenizer> pre_tokenizer_;
  std::unique_ptr<TokenModel> model_;
  std::unique_ptr<TokenDecoder> decoder_;
  PostProcessor post_processor_;
  AddedTokens added_;
  bool splits_special_ = false;  // special tokens that are written out in a text are text
  TokenRoles roles_;
  SpecialTokens special_;
};

/// Sentence that says why two tokenizers do not share a vocabulary ("student has 512 tokens,
/// teacher 32000; first differences: id 3 is "a" and "b", …"); "" when they do. The sentence calls
/// them by the names.
std::string describe_difference(const Tokenizer& a, const Tokenizer& b, std::string_view name_of_a,
                                std::string_view name_of_b);

}  // namespace alambic
