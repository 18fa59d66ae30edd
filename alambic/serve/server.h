// The routes: what each address of the server answers.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/base/secret.h"
#include "alambic/serve/http_messages.h"
#include "alambic/serve/request_fields.h"
#include "alambic/serve/served_model.h"
#include "alambic/serve/server_metrics.h"
#include "alambic/serve/work_queue.h"

namespace alambic {

struct ServerOptions {
  std::shared_ptr<const Secret> key;  ///< that clients must send as a bearer token; null: none
  fs::path run;                       ///< folder of a training run that the page shows; empty: none
};

class Server {
 public:
  /// The first model is the one that a request without a name gets. All must outlive this.
  Server(ServerOptions options, std::vector<ServedModel> models, WorkQueue& queue,
         const ServerMetrics& metrics);

  /// What a call is refused with before its body is read; nothing: it is not.
  std::optional<HttpAnswer> refuse(const ServerRequest& call) const;
  HttpReply reply(const ServerRequest& call, const Wake& wake) const;
  HttpService service();

 private:
  size_t model_index(const std::string& name) const;
  HttpReply answer(const ServerRequest& call, const Wake& wake) const;
  HttpReply post(const ServerRequest& call, const Wake& wake) const;
  HttpAnswer get(const ServerRequest& call) const;
  HttpAnswer models_list(const std::string& name) const;
  HttpAnswer tokenized(const RequestFields& fields, const ServedModel& model) const;
  HttpAnswer detokenized(const RequestFields& fields, const ServedModel& model) const;
  HttpAnswer run_file(const ServerRequest& call) const;

  ServerOptions options_;
  std::vector<ServedModel> models_;
  WorkQueue& queue_;
  const ServerMetrics& metrics_;
  int64_t started_ = 0;
};

}  // namespace alambic
