// Everything that can be done to a signed folder, one change at a time: the check fails, and names
// the file.
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "alambic/base/base64.h"
#include "tests/provenance/signed_fixture.h"

namespace alambic::mutation_test {
namespace {

using Json = nlohmann::ordered_json;

// A folder with its signature, to be changed.
struct Hands {
  const fs::path& folder;
  const KeyHandle& key;

  fs::path at(const std::string& name) const { return folder / name; }
  std::string read(const std::string& name) const { return read_file(at(name)); }
  void write(const std::string& name, const std::string& text) const { write_file(at(name), text); }
  void flip(const std::string& name, size_t place) const {
    std::string text = read(name);
    text.at(place) = static_cast<char>(text.at(place) ^ 1);
    write(name, text);
  }
  Json bundle() const { return Json::parse(read(signature_name)); }
  void set_bundle(const Json& json) const { write(signature_name, json.dump()); }
  Json payload() const {
    return Json::parse(decode_base64(bundle()["dsseEnvelope"]["payload"].get<std::string>()));
  }
  // An attacker has no key: the payload is another, the signature is what it was.
  void forge(const Json& payload) const {
    Json json = bundle();
    json["dsseEnvelope"]["payload"] = encode_base64(payload.dump());
    set_bundle(json);
  }
  // A signer whom we trust signs nonsense.
  void sign(const std::string& statement) const {
    write(signature_name, bundle_text(sign_statement({.key = key}, statement)));
  }
  void sign_json(const Json& payload) const { sign(payload.dump()); }
};

struct Mutation {
  const char* name;
  std::function<void(const Hands&)> change;
  const char* names;  // a part of what is said
  Exit exit = Exit::refused;
};

Json& envelope(Json& bundle) { return bundle["dsseEnvelope"]; }

void edit_bundle(const Hands& hands, const std::function<void(Json&)>& edit) {
  Json json = hands.bundle();
  edit(json);
  hands.set_bundle(json);
}

void edit_signed(const Hands& hands, const std::function<void(Json&)>& edit) {
  Json json = hands.payload();
  edit(json);
  hands.sign_json(json);
}

void edit_forged(const Hands& hands, const std::function<void(Json&)>& edit) {
  Json json = hands.payload();
  edit(json);
  hands.forge(json);
}

const char* const one = "model-00001-of-00002.safetensors";
const char* const two = "model-00002-of-00002.safetensors";

const std::vector<Mutation> of_files = {
    {"first bit", [](const Hands& h) { h.flip(one, 0); }, "altered: model-00001-of-00002"},
    {"last bit", [](const Hands& h) { h.flip(two, 4999); }, "altered: model-00002-of-00002"},
    {"bit of the configuration", [](const Hands& h) { h.flip("config.json", 3); }, "config.json"},
    {"bit of the record", [](const Hands& h) { h.flip("provenance/record.json", 2); },
     "altered: provenance/record.json"},
    {"bit of a name with umlauts", [](const Hands& h) { h.flip("größe 😀.txt", 0); },
     "altered: größe 😀.txt"},
    {"cut", [](const Hands& h) { fs::resize_file(h.at(one), 4999); }, "altered: model-00001"},
    {"emptied", [](const Hands& h) { h.write(one, ""); }, "altered: model-00001"},
    {"longer", [](const Hands& h) { fs::resize_file(h.at(one), 5001); }, "altered: model-00001"},
    {"an empty file grows", [](const Hands& h) { h.write("empty.txt", "x"); },
     "altered: empty.txt"},
    {"other line ends",
     [](const Hands& h) { h.write("config.json", "{\"model_type\": \"llama\"}\r\n"); },
     "altered: config.json"},
    {"another shard of the same size", [](const Hands& h) { h.write(two, std::string(5000, 'c')); },
     "altered: model-00002"},
    {"one shard twice",
     [](const Hands& h) {
       fs::copy_file(h.at(one), h.at(two), fs::copy_options::overwrite_existing);
     },
     "altered: model-00002"},
    {"two shards swapped",
     [](const Hands& h) {
       fs::rename(h.at(one), h.at("x"));
       fs::rename(h.at(two), h.at(one));
       fs::rename(h.at("x"), h.at(two));
     },
     "altered: model-00001"},
    {"removed", [](const Hands& h) { fs::remove(h.at(one)); }, "missing: model-00001"},
    {"the record stripped", [](const Hands& h) { fs::remove(h.at("provenance/record.json")); },
     "missing: provenance/record.json"},
    {"the record's folder stripped", [](const Hands& h) { fs::remove_all(h.at("provenance")); },
     "missing: provenance/record.json"},
    {"an empty file removed", [](const Hands& h) { fs::remove(h.at("empty.txt")); },
     "missing: empty.txt"},
    {"renamed", [](const Hands& h) { fs::rename(h.at(one), h.at("weights")); },
     "renamed: model-00001-of-00002.safetensors: is now called weights"},
    {"another case", [](const Hands& h) { fs::rename(h.at("config.json"), h.at("Config.json")); },
     "renamed: config.json"},
    {"another folder", [](const Hands& h) { fs::rename(h.at("provenance"), h.at("Provenance")); },
     "renamed: provenance/record.json"},
    {"added", [](const Hands& h) { h.write("tokenizer.py", "x"); }, "added: tokenizer.py"},
    {"an empty one added", [](const Hands& h) { h.write("a", ""); }, "added: a"},
    {"a hidden one added", [](const Hands& h) { h.write(".hidden", ""); }, "added: .hidden"},
    {"added in a new folder",
     [](const Hands& h) {
       fs::create_directories(h.at("b/c"));
       h.write("b/c/d", "");
     },
     "added: b/c/d"},
    {"a name like an ignored one", [](const Hands& h) { h.write(".gitx", ""); }, "added: .gitx"},
    {"a signature in a folder", [](const Hands& h) { h.write("provenance/model.sig", ""); },
     "added: provenance/model.sig"},
    {"a link for a file",
     [](const Hands& h) {
       fs::rename(h.at(one), h.folder.parent_path() / "outside");
       fs::create_symlink(h.folder.parent_path() / "outside", h.at(one));
     },
     "link: model-00001"},
    {"a link added", [](const Hands& h) { fs::create_symlink("config.json", h.at("l")); },
     "link: l"},
    {"a link to a folder",
     [](const Hands& h) { fs::create_directory_symlink("provenance", h.at("l")); }, "link: l"},
    {"a link to nothing", [](const Hands& h) { fs::create_symlink("none", h.at("l")); }, "link: l"},
    {"a pipe", [](const Hands& h) { ::mkfifo(h.at("p").c_str(), 0600); }, "other: p"},
    {"a name that is no text", [](const Hands& h) { h.write("\xff\xfe", ""); }, "other: \uFFFD"},
    {"a file becomes a folder",
     [](const Hands& h) {
       fs::remove(h.at("empty.txt"));
       fs::create_directory(h.at("empty.txt"));
     },
     "missing: empty.txt"},
};

const std::vector<Mutation> of_signatures = {
    {"unsigned", [](const Hands& h) { fs::remove(h.at(signature_name)); }, "not signed"},
    {"empty", [](const Hands& h) { h.write(signature_name, ""); }, "model.sig", Exit::input},
    {"no JSON", [](const Hands& h) { h.write(signature_name, "{"); }, "model.sig", Exit::input},
    {"a list", [](const Hands& h) { h.write(signature_name, "[]"); }, "model.sig", Exit::input},
    {"a field twice",
     [](const Hands& h) {
       std::string text = h.read(signature_name);
       h.write(signature_name, text.insert(1, "\"mediaType\":\"x\","));
     },
     "stands twice", Exit::input},
    {"another media type",
     [](const Hands& h) { edit_bundle(h, [](Json& b) { b["mediaType"] = "x"; }); }, "mediaType",
     Exit::input},
    {"another payload type",
     [](const Hands& h) {
       edit_bundle(h, [](Json& b) { envelope(b)["payloadType"] = "application/json"; });
     },
     "payloadType", Exit::input},
    {"no signatures",
     [](const Hands& h) {
       edit_bundle(h, [](Json& b) { envelope(b)["signatures"] = Json::array(); });
     },
     "signatures", Exit::input},
    {"two signatures",
     [](const Hands& h) {
       edit_bundle(h, [](Json& b) {
         const Json first = envelope(b)["signatures"][0];
         envelope(b)["signatures"].push_back(first);
       });
     },
     "signatures", Exit::input},
    {"no material",
     [](const Hands& h) { edit_bundle(h, [](Json& b) { b.erase("verificationMaterial"); }); },
     "publicKey", Exit::input},
    {"a key and a certificate",
     [](const Hands& h) {
       edit_bundle(
           h, [](Json& b) { b["verificationMaterial"]["x509CertificateChain"] = Json::object(); });
     },
     "x509CertificateChain", Exit::input},
    {"no hint",
     [](const Hands& h) {
       edit_bundle(h, [](Json& b) { b["verificationMaterial"]["publicKey"].erase("hint"); });
     },
     "hint", Exit::input},
    {"base64 with a letter that is none",
     [](const Hands& h) { edit_bundle(h, [](Json& b) { envelope(b)["payload"] = "ab$="; }); },
     "payload", Exit::input},
    {"base64 of URLs",
     [](const Hands& h) { edit_bundle(h, [](Json& b) { envelope(b)["payload"] = "_-__"; }); },
     "payload", Exit::input},
    {"base64 with a space",
     [](const Hands& h) {
       edit_bundle(h, [](Json& b) {
         std::string& sig = envelope(b)["signatures"][0]["sig"].get_ref<std::string&>();
         sig = "    " + sig;
       });
     },
     "sig", Exit::input},
    {"a bit of the signature",
     [](const Hands& h) {
       edit_bundle(h, [](Json& b) {
         std::string& sig = envelope(b)["signatures"][0]["sig"].get_ref<std::string&>();
         sig[20] = sig[20] == 'A' ? 'B' : 'A';
       });
     },
     "model.sig is not to be trusted: its signature does not hold"},
    {"a signature that is no DER",
     [](const Hands& h) {
       edit_bundle(h, [](Json& b) { envelope(b)["signatures"][0]["sig"] = "AAAA"; });
     },
     "does not hold"},
    {"another name of the model",
     [](const Hands& h) { edit_forged(h, [](Json& p) { p["subject"][0]["name"] = "better"; }); },
     "does not hold"},
    {"another root",
     [](const Hands& h) {
       edit_forged(h, [](Json& p) { p["subject"][0]["digest"]["sha256"] = std::string(64, '0'); });
     },
     "does not hold"},
    {"a file less in the statement",
     [](const Hands& h) { edit_forged(h, [](Json& p) { p["predicate"]["resources"].erase(0); }); },
     "does not hold"},
    {"more ignored names",
     [](const Hands& h) {
       edit_forged(h,
                   [](Json& p) { p["predicate"]["serialization"]["ignore_paths"].push_back("."); });
     },
     "does not hold"},
    {"the same statement with a space",
     [](const Hands& h) {
       edit_bundle(h,
                   [&](Json& b) { envelope(b)["payload"] = encode_base64(h.payload().dump(1)); });
     },
     "does not hold"},
    {"signed again with another key",
     [](const Hands& h) {
       const std::string payload = h.payload().dump();
       h.write(signature_name, bundle_text(sign_statement({.key = new_key(Curve::p256)}, payload)));
     },
     "by another key"},
    {"another key under the old hint",
     [](const Hands& h) {
       SignatureBundle bundle = sign_statement({.key = new_key(Curve::p256)}, h.payload().dump());
       bundle.hint = key_hint(h.key);
       h.write(signature_name, bundle_text(bundle));
     },
     "does not hold"},
    {"too large", [](const Hands& h) { fs::resize_file(h.at(signature_name), (64 << 20) + 1); },
     "model.sig", Exit::input},
};

const std::vector<Mutation> of_statements = {
    {"no JSON", [](const Hands& h) { h.sign("nothing"); }, "model.sig", Exit::input},
    {"a name twice in an object",
     [](const Hands& h) { h.sign(h.payload().dump().insert(1, "\"_type\":\"x\",")); },
     "stands twice", Exit::input},
    {"another type", [](const Hands& h) { edit_signed(h, [](Json& p) { p["_type"] = "x"; }); },
     "_type", Exit::input},
    {"another predicate",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) { p["predicateType"] = "https://slsa.dev/provenance/v1"; });
     },
     "predicateType", Exit::input},
    {"two subjects",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) {
         const Json first = p["subject"][0];
         p["subject"].push_back(first);
       });
     },
     "subject", Exit::input},
    {"a root of other files",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) { p["subject"][0]["digest"]["sha256"] = std::string(64, '0'); });
     },
     "root", Exit::input},
    {"files in another order",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) {
         std::swap(p["predicate"]["resources"][0], p["predicate"]["resources"][1]);
       });
     },
     "root", Exit::input},
    {"a file twice",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) {
         const Json first = p["predicate"]["resources"][0];
         p["predicate"]["resources"].push_back(first);
       });
     },
     "stands twice", Exit::input},
    {"no files",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) { p["predicate"]["resources"] = Json::array(); });
     },
     "resources", Exit::input},
    {"a name outside",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) { p["predicate"]["resources"][0]["name"] = "../config.json"; });
     },
     "'../config.json' lies outside", Exit::input},
    {"a name from the root",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) { p["predicate"]["resources"][0]["name"] = "/etc/passwd"; });
     },
     "'/etc/passwd' lies outside", Exit::input},
    {"a name with a dot",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) { p["predicate"]["resources"][0]["name"] = "./config.json"; });
     },
     "lies outside", Exit::input},
    {"another digest",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) { p["predicate"]["resources"][0]["algorithm"] = "blake3"; });
     },
     "algorithm", Exit::input},
    {"a short digest",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) { p["predicate"]["resources"][0]["digest"] = "00"; });
     },
     "digest", Exit::input},
    {"another method",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) { p["predicate"]["serialization"]["method"] = "tensors"; });
     },
     "method", Exit::input},
    {"parts of no size",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) {
         p["predicate"]["serialization"]["method"] = "shards";
         p["predicate"]["serialization"]["shard_size"] = 0;
       });
     },
     "shard_size", Exit::input},
    {"parts without a place",
     [](const Hands& h) {
       edit_signed(h, [](Json& p) {
         p["predicate"]["serialization"]["method"] = "shards";
         p["predicate"]["serialization"]["shard_size"] = 10;
         for (Json& one : p["predicate"]["resources"]) one["algorithm"] = "sha256-sharded-10";
       });
     },
     "NAME:BEGIN:END", Exit::input},
};

struct Mutations : SignedFixture {
  void expect_each_found(const std::vector<Mutation>& mutations) {
    for (const Mutation& mutation : mutations) {
      fs::remove_all(folder);
      SignedFixture::SetUp();
      ASSERT_TRUE(outcome().passed) << outcome().text;
      mutation.change({folder, key});
      const CheckOutcome found = outcome();
      EXPECT_FALSE(found.passed) << mutation.name;
      EXPECT_EQ(found.exit, mutation.exit) << mutation.name << ": " << found.text;
      EXPECT_NE(found.text.find(mutation.names), std::string::npos)
          << mutation.name << ": " << found.text;
    }
  }
};

TEST_F(Mutations, OfFilesAreFound) { expect_each_found(of_files); }
TEST_F(Mutations, OfTheSignatureAreFound) { expect_each_found(of_signatures); }
TEST_F(Mutations, OfTheStatementAreFound) { expect_each_found(of_statements); }
TEST_F(Mutations, AreMany) {
  EXPECT_GE(of_files.size() + of_signatures.size() + of_statements.size(), 60u);
}

// Every character of what is signed and of its signature, and every place where a bundle may end.
TEST_F(Mutations, OfAnyByteAreFound) {
  const std::string good = read_file(signature());
  for (const std::string name : {"\"payload\":\"", "\"sig\":\""}) {
    const size_t begin = good.find(name) + name.size();
    for (size_t i = begin; i < good.find('"', begin); i += 5) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ 1);
      write_file(signature(), bad);
      EXPECT_FALSE(outcome().passed) << i;
    }
  }
  for (size_t i = 0; i + 2 < good.size(); i += 11) {
    write_file(signature(), good.substr(0, i));
    EXPECT_FALSE(outcome().passed) << i;
  }
}

}  // namespace
}  // namespace alambic::mutation_test
