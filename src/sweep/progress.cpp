#include "sweep/progress.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "base/error.hpp"
#include "sweep/common_training.hpp"

namespace fleet {

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return cat(whole, " s");
  if (whole < 3600) return cat(whole / 60, " min ", whole % 60, " s");
  return cat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

namespace {

/// At most `width` characters, counted as UTF-8 has them.
std::string shortened(const std::string& text, std::size_t width) {
  std::size_t characters = 0;
  std::size_t cut = text.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0U) == 0x80U) continue;
    if (++characters == width) cut = i;
  }
  return characters > width ? text.substr(0, cut) + "…" : text;
}

}  // namespace

void CellSeconds::note(double training, double trained, double rest) {
  cells_ += 1.0;
  trainings_ += training / usual_;
  trained_ += trained;
  rest_ += rest;
}

double CellSeconds::of(double training, double cells) const {
  const double constant = cells_ > 0.0 ? rest_ / cells_ : kMergeAlone;
  const double rate = trainings_ > 0.0 ? trained_ / trainings_ : constant / kMergeAlone;
  return rate * training / usual_ + constant * cells;
}

Progress::Progress(std::ostream& out, double total_training, int total_cells, int groups, bool watched, int trained)
    : out_(out),
      total_training_(total_training),
      total_cells_(total_cells),
      groups_(groups),
      watched_(watched),
      seconds_(total_training > 0.0 ? total_training / (trained > 0 ? trained : total_cells) : 1.0) {}

bool Progress::is_due() const {
  const double interval = watched_ ? 0.2 : 15.0;
  return since_start_.seconds() - drawn_at_ >= interval;
}

void Progress::advance(const CellShare& done, double training, const std::string& label) {
  share_of_present_ = done;
  training_of_present_ = training;
  if (is_due()) draw(label);
}

void Progress::cell_finished(double training, double trained_seconds, const std::string& label,
                             const std::string& failure) {
  cells_ended_ = std::max(cells_ended_, ++cells_done_);
  const double now = since_start_.seconds();
  if (failure.empty()) {
    // Who goes on from what others have trained hears how long they took.
    const double trained = training > 0.0 ? std::min(trained_seconds, now - present_since_) : 0.0;
    seconds_.note(training, trained, now - present_since_ - trained);
  }
  present_since_ = now;
  training_of_finished_ += training;
  share_of_present_ = {};
  if (!failure.empty()) {
    out_ << (watched_ ? "\r\033[K" : "") << "fleet: failed: " << label << ": " << failure << '\n';
    drawn_at_ = -1e9;
  }
  if (watched_ || cells_ended_ == total_cells_) draw(label);
}

void Progress::tell(int cells_ended) {
  const bool last = cells_ended_ < total_cells_ && cells_ended >= total_cells_;
  cells_ended_ = std::max(cells_ended_, cells_ended);
  if (last) draw("");
}

double Progress::share() const {
  if (total_cells_ > 0 && cells_ended_ == total_cells_) return 1.0;
  const double all = seconds_.of(total_training_, total_cells_) / groups_;
  const double finished = seconds_.of(training_of_finished_, cells_done_);
  const double present = seconds_.of(share_of_present_.trained * training_of_present_, share_of_present_.rest);
  return all > 0.0 ? std::clamp((finished + present) / all, 0.0, 1.0) : 0.0;
}

void Progress::draw(const std::string& label) {
  const double share = this->share();
  const double elapsed = since_start_.seconds();
  drawn_at_ = elapsed;
  std::ostringstream line;
  if (watched_) {
    constexpr int kWidth = 28;
    const int filled = static_cast<int>(share * kWidth);
    line << "\r\033[K[" << std::string(static_cast<std::size_t>(filled), '=')
         << std::string(static_cast<std::size_t>(kWidth - filled), ' ') << "] ";
  } else {
    line << "fleet: ";
  }
  line << std::setw(3) << static_cast<int>(share * 100) << " %  " << cells_ended_ << '/' << total_cells_ << " cells";
  if (elapsed > 1.0)
    line << "  " << std::fixed << std::setprecision(1) << cells_ended_ / elapsed * 60.0 << " cells/min";
  if (share > 0.0 && share < 1.0) line << "  " << duration_text(elapsed * (1.0 - share) / share) << " left";
  constexpr std::size_t kLabel = 48;
  if (!label.empty()) line << "  " << (watched_ ? shortened(label, kLabel) : label);
  if (!watched_) line << '\n';
  out_ << line.str() << std::flush;
}

void Progress::close() {
  if (watched_) out_ << '\n' << std::flush;
}

}  // namespace fleet
