// A tokenizer.json, which then reads a text.
#include "alambic/text/tokenizer/tokenizer.h"
#include "fuzz/fuzz.h"

namespace alambic {

namespace {

std::string tokenizer(const std::string& parts, const std::string& model) {
  return R"({"version": "1.0", "added_tokens": [{"id": 0, "content": "<s>", "special": true,
"single_word": false, "lstrip": true, "rstrip": false, "normalized": false}], )" +
         parts + R"(, "model": )" + model + "}";
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {
      tokenizer(R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type":
"Replace", "pattern": {"Regex": "a+"}, "content": "b"}]}, "pre_tokenizer": {"type": "Sequence",
"pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}| ?\\p{L}+"}, "behavior":
"Isolated", "invert": false}, {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
"use_regex": true}]}, "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken":
{"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens":
{"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}}, "decoder": {"type": "ByteLevel"})",
                R"({"type": "BPE", "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3, "Ġ": 4, "Ġab": 5},
"merges": ["a b", ["Ġ", "ab"]], "byte_fallback": false, "ignore_merges": true})"),
      tokenizer(R"("normalizer": {"type": "Prepend", "prepend": "▁"}, "pre_tokenizer": {"type":
"Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true}, "decoder": {"type":
"Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content":
" ", "start": 1, "stop": 0}]})",
                R"({"type": "Unigram", "unk_id": 0, "byte_fallback": true, "vocab": [["<s>", 0.0],
["▁", -1.5], ["a", -2.0], ["▁ab", -0.5], ["<0x41>", -9]]})"),
      tokenizer(R"("normalizer": {"type": "BertNormalizer", "clean_text": true,
"handle_chinese_chars": true, "strip_accents": null, "lowercase": true}, "pre_tokenizer": {"type":
"BertPreTokenizer"}, "post_processor": {"type": "BertProcessing", "sep": ["<s>", 0], "cls": ["<s>",
0]}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true})",
                R"({"type": "WordPiece", "unk_token": "<s>", "continuing_subword_prefix": "##",
"max_input_chars_per_word": 100, "vocab": {"<s>": 0, "a": 1, "##b": 2, "hello": 3}})"),
      tokenizer(R"("pre_tokenizer": {"type": "Digits", "individual_digits": true})",
                R"({"type": "WordLevel", "unk_token": "<s>", "vocab": {"<s>": 0, "a": 1}})"),
  };
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  parse_or_refuse([&] {
    const Tokenizer tokenizer = Tokenizer::parse("f", text_of(data, size));
    tokenizer.decode(tokenizer.encode("<s> Hello abab 12345 ﬁé語😀\xff\n\n  aaab"));
  });
  return 0;
}
