// Token ids of a text, and what each stands for; torch-free.
//   tokenize MODEL TEXT
#include <cstdio>

#include "alambic/base/error.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

int main(int argc, char** argv) try {
  if (argc != 3) return std::fprintf(stderr, "usage: tokenize MODEL TEXT\n"), 2;
  const alambic::Tokenizer tokenizer = alambic::load_tokenizer(argv[1]);
  for (const int32_t id : tokenizer.encode(argv[2])) {
    std::printf("%6d  %s\n", id, tokenizer.decode({&id, 1}).c_str());
  }
} catch (const alambic::Error& error) {
  std::fprintf(stderr, "error: %s\n%s\n", error.what(), error.hint().c_str());
  return static_cast<int>(error.exit());
}
