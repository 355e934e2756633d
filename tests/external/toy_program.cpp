// A program that speaks docs/protocol.md: the toy fleet as a world of the user's own. An argument makes it misbehave:
// "die" ends at the first training, "hang" never answers it, "chatter" answers what is no JSON, "nan" answers a loss
// that is none, "grow" has network that changes, "old" speaks another version, "count" counts wrong.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "external/drawing_toy.hpp"
#include "io/network_file.hpp"

namespace fleet {
namespace {

using Json = nlohmann::json;
using toy::DrawingRobot;
using toy::DrawingWorkload;

class Program {
 public:
  explicit Program(std::string fault) : fault_(std::move(fault)) {}

  int run() {
    for (std::string line; read_line(line);) {
      const Json request = Json::parse(line);
      Json answer = Json::object();
      try {
        answer = reply(request);
      } catch (const std::exception& error) {
        answer = {{"error", error.what()}};
      }
      answer["id"] = request["id"];
      std::string text = answer.dump() + "\n";
      if (fault_ == "chatter" && request["call"] == "train") text = "what?\n";
      if (write(3, text.data(), text.size()) < 0) return 1;
    }
    return 0;
  }

 private:
  static bool read_line(std::string& line) {
    line.clear();
    for (char c = 0; read(3, &c, 1) == 1;) {
      if (c == '\n') return true;
      line += c;
    }
    return false;
  }

  template <class T>
  T* at(const Json& place) {
    return reinterpret_cast<T*>(memory_ + place.get<std::size_t>());  // NOLINT
  }
  ParamVector weights_at(const Json& place) {
    ParamVector weights(workload_.symmetry().layout());
    std::copy_n(at<float>(place), weights.flat().size(), weights.flat().begin());
    return weights;
  }
  void put(const Json& place, std::span<const float> values) { std::ranges::copy(values, at<float>(place)); }
  AwakeRobot& awake(const Json& request) { return robots_.at(request["robot"]); }
  DrawingRobot& robot(const Json& request) { return dynamic_cast<DrawingRobot&>(*awake(request).robot); }

  Json reply(const Json& request) {
    const std::string call = request["call"];
    if (call == "hello") return {{"protocol", fault_ == "old" ? 7 : 1}};
    if (call == "resize_memory") return map_memory(request["bytes"]);
    if (call == "describe") return describe();
    if (call == "open") return open();
    if (call == "robot") return make_robot(request);
    if (call == "initialize") return initialize(request);
    if (call == "train") return train(request);
    if (call == "test") return test(request);
    if (call == "loss_gradient") return loss_gradient(request);
    if (call == "held_out_score" || call == "held_out_loss") return held_out(request);
    if (call == "trials") return trials(request);
    if (call == "curvature") return curvature(request);
    if (call == "map_moments") return map_moments(request);
    if (call.find("head") != std::string::npos) return head(call, request);
    if (call.find("state") != std::string::npos || call == "save" || call == "load") return state(call, request);
    if (call == "forget_robot") robots_.erase(request["robot"]);
    return Json::object();
  }

  Json map_memory(std::size_t bytes) {
    if (memory_ != nullptr) munmap(memory_, size_);
    memory_ = static_cast<char*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, 4, 0));
    size_ = bytes;
    return Json::object();
  }

  Json describe() {
    Json facts = {{"network", Json::parse(network_json({workload_.symmetry(), toy::maps(), {}}))},
                  {"identity", "toys"},
                  {"quadratic", true},
                  {"moments", {"linear", "square"}},
                  {"batch", 4},
                  {"offers",
                   {"loss_gradient", "held_out_score", "held_out_loss", "map_moments", "head_data", "trials",
                    "curvature", "joint", "save"}}};
    if (fault_ == "count") facts["network"]["tensors"][0]["shape"] = {5, 3};
    return facts;
  }

  Json open() {
    const std::vector<int>& samples = toy::kOutsideSamples;
    Json labels = Json::array();
    for (const int count : samples) labels.push_back({count});
    return {{"samples", samples},
            {"steps_per_epoch", samples},
            {"labels", labels},
            {"parts", workload_.test_parts()},
            {"metrics", workload_.metrics()}};
  }

  Json make_robot(const Json& request) {
    const bool joint = request["role"] == "joint";
    std::unique_ptr<Robot> made = joint ? workload_.make_joint_robot() : workload_.make_robot(request["index"]);
    const std::int64_t samples = made->samples();
    robots_.insert_or_assign(request["robot"],
                             AwakeRobot(std::move(made), workload_.symmetry().layout(), workload_.optimizer()));
    return {{"samples", samples}};
  }
  Json initialize(const Json& request) {
    ParamVector weights(workload_.symmetry().layout());
    robot(request).initialize(weights);
    put(request["into"], weights.flat());
    return Json::object();
  }

  Json train(const Json& request) {
    if (fault_ == "die") {
      std::cerr << "first words\nout of cheese" << std::endl;
      std::abort();
    }
    if (fault_ == "hang") sleep(1000);
    if (fault_ == "nan") return {{"loss", nullptr}};
    AwakeRobot& trainee = awake(request);
    Optimizer& optimizer = trainee.optimizer;
    if (request["fresh"].get<bool>()) optimizer.reset();
    trainee.weights = weights_at(request["weights"]);
    for (std::size_t m = 0; m < request["moments"].size(); ++m) {
      std::copy_n(at<float>(request["moments"][m]), optimizer.moments()[m].size(), optimizer.moments()[m].data());
    }
    optimizer.count_steps(request["moment_steps"].get<std::int64_t>() - optimizer.steps());
    double loss = 0.0;  // the sum of what single steps return
    for (std::int64_t step = 0; step < request["steps"]; ++step) loss += trainee.train(1, [] { return false; });
    put(request["weights"], trainee.weights.flat());
    for (std::size_t m = 0; m < request["moments"].size(); ++m) {
      std::copy_n(optimizer.moments()[m].data(), optimizer.moments()[m].size(), at<float>(request["moments"][m]));
    }
    if (fault_ == "infinite") at<float>(request["weights"])[0] = std::numeric_limits<float>::infinity();
    return {{"loss", loss}};
  }

  Json test(const Json& request) {
    Json scores = Json::array();
    for (const Score& score : workload_.test_scores(weights_at(request["at"]), request["part"])) {
      scores.push_back({score.sum, score.samples});
    }
    return {{"scores", scores}};
  }
  Json loss_gradient(const Json& request) {
    ParamVector gradient(workload_.symmetry().layout());
    const double loss =
        robot(request).gradient_by(weights_at(request["at"]), request["batch"], request["draw"], gradient);
    put(request["into"], gradient.flat());
    return {{"loss", loss}};
  }
  Json held_out(const Json& request) {
    const ParamVector weights = weights_at(request["at"]);
    const Score score = request["call"] == "held_out_loss" ? robot(request).held_out_loss(weights)
                                                           : robot(request).held_out_score(weights);
    return {{"sum", score.sum}, {"samples", score.samples}};
  }

  Json trials(const Json& request) {
    const Score score = robot(request).trials(weights_at(request["at"]), request["episodes"], request["draw"]);
    return {{"sum", score.sum}, {"samples", score.samples}};
  }
  Json curvature(const Json& request) {
    const Curvature curvature = robot(request).curvature(weights_at(request["at"]), request["draw"]);
    put(request["gradient"], curvature.gradient.flat());
    for (std::size_t m = 0; m < curvature.maps.size(); ++m) {
      const DoubleMatrix& outputs = curvature.maps[m].outputs;
      std::copy_n(outputs.data(), outputs.size(), at<double>(request["outputs"][m]));
    }
    return {{"samples", curvature.samples}};
  }

  Json put_moments(const Json& request, const MapMoments& moments) {
    std::copy_n(moments.inputs.data(), moments.inputs.size(), at<double>(request["inputs"]));
    std::copy_n(moments.targets.data(), moments.targets.size(), at<double>(request["targets"]));
    return {{"samples", moments.samples}};
  }
  Json map_moments(const Json& request) {
    return put_moments(request, robot(request).map_moments(weights_at(request["features"]),
                                                           weights_at(request["outputs"]), request["map"]));
  }

  Json head(const std::string& call, const Json& request) {
    if (call == "head") {
      heads_[request["head"]] = robot(request).head_data(weights_at(request["at"]));
      return {{"curvature", heads_[request["head"]]->curvature()}};
    }
    HeadData& head = *heads_.at(request["head"]);
    if (call == "head_moments") return put_moments(request, head.moments());
    if (call == "head_basis") {
      head.change_basis(Eigen::Map<const DoubleMatrix>(at<double>(request["lower"]), toy::kHidden, toy::kHidden));
    } else if (call == "head_gradient") {
      RowMatrix gradient = RowMatrix::Zero(toy::kOutputs, toy::kHidden);
      head.add_gradient(ConstMatrixView(at<float>(request["at"]), toy::kOutputs, toy::kHidden), gradient);
      put(request["into"], {gradient.data(), static_cast<std::size_t>(gradient.size())});
    } else {
      heads_.erase(request["head"]);
    }
    return Json::object();
  }

  Json state(const std::string& call, const Json& request) {
    if (call == "save") {
      StateWriter state;
      robot(request).save(state);
      awake(request).optimizer.save(state);
      state_ = state.bytes();
      return {{"bytes", state_.size()}};
    }
    if (call == "take_state") {
      std::ranges::copy(state_, at<char>(request["into"]));
    } else {
      StateReader state({at<char>(request["from"]), request["bytes"].get<std::size_t>()});
      robot(request).load(state);
      awake(request).optimizer.load(state);
    }
    return Json::object();
  }

  std::string fault_;
  DrawingWorkload workload_;
  char* memory_ = nullptr;
  std::size_t size_ = 0;
  std::map<std::int64_t, AwakeRobot> robots_;
  std::map<std::int64_t, std::unique_ptr<HeadData>> heads_;
  std::string state_;
};

}  // namespace
}  // namespace fleet

int main(int argc, char** argv) {
  return fleet::Program(argc > 1 ? argv[1] : "").run();
}
