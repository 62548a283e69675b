#pragma once

#include "net/executor.hpp"
#include "net/shard.hpp"
#include "net/tls_context.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/role.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace vartalap::net {

/// The stream under websocket::stream: a non-blocking TCP socket on a shard,
/// in the clear or with TLS.
///
/// Writes only append to a buffer, which goes out in one send when the turn
/// ends. A read takes what the socket has, up to 64 KiB, at once; what the
/// reader does not want yet is kept until it does. While it is corked nothing
/// is lost and nothing blocks: a full socket leaves the rest in the buffer.
///
/// At most one read is outstanding. Belongs to the shard's thread; completions
/// run through `shard::run_soon`.
class cork_stream : public ready_handler, public turn_output {
public:
  using executor_type = shard_executor;
  using lowest_layer_type = cork_stream;

  /// Takes over a connected or connecting, non-blocking descriptor.
  /// @param tls Of this descriptor; null: in the clear.
  cork_stream(shard& home, int fd, tls_ptr tls = nullptr);
  ~cork_stream() override;
  cork_stream(const cork_stream&) = delete;
  cork_stream& operator=(const cork_stream&) = delete;

  executor_type get_executor() noexcept {
    return executor_type(home_);
  }
  lowest_layer_type& lowest_layer() noexcept {
    return *this;
  }

  /// Who hears of output and of the end of a run of input.
  class observer {
  public:
    /// A flush has sent something or has left something; with an error: the
    /// socket is broken, what waited is dropped.
    virtual void on_output(boost::beast::error_code ec) = 0;

    /// Everything that the socket had has been read. Runs inside the call
    /// that starts the next read: start none here, destroy nothing.
    virtual void on_input_end() = 0;

  protected:
    ~observer() = default;
  };

  /// `who` must outlive the stream; null for nobody.
  void observe(observer* who) noexcept {
    observer_ = who;
  }

  /// Adds bytes to the turn's output.
  void append(std::string_view bytes);

  /// The buffer itself, for encoders: call `touched` after appending to it.
  std::string& output() noexcept {
    return out_;
  }
  void touched();

  /// Bytes that the socket has not taken yet.
  std::size_t output_size() const noexcept {
    return out_.size() - out_at_;
  }

  /// Bytes that were ever appended, and that the socket has taken.
  std::uint64_t appended_total() const noexcept {
    return taken_ + output_size();
  }
  std::uint64_t taken_total() const noexcept {
    return taken_;
  }
  std::uint64_t received_total() const noexcept {
    return received_;
  }

  bool is_open() const noexcept {
    return fd_ >= 0;
  }
  int native_handle() const noexcept {
    return fd_;
  }

  /// Sends what can be sent at once, then closes. A pending read ends with
  /// operation_aborted.
  void close();

  /// Gives the descriptor away, with what it has not read yet and its TLS;
  /// nothing may be gathered or pending. Afterwards the stream is closed.
  int release(tls_ptr& tls) noexcept;

  bool is_secure() const noexcept {
    return tls_ != nullptr;
  }

  /// Closes the sending side once everything is out, so that the peer reads
  /// the last bytes before the end.
  void shutdown_when_sent();

  void on_ready(std::uint32_t events) override;
  void on_shard_end() override;
  void flush() override;

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::beast::error_code,
                                                   std::size_t)>(
      [this](auto handler, const auto& to) {
        start_read(to, std::move(handler));
      },
      token, buffers);
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::beast::error_code,
                                                   std::size_t)>(
      [this](auto handler, const auto& from) {
        std::size_t n = 0;
        boost::beast::error_code ec;
        if (is_open()) {
          for (auto i = boost::asio::buffer_sequence_begin(from);
               i != boost::asio::buffer_sequence_end(from); ++i) {
            const boost::asio::const_buffer part = *i;
            out_.append(static_cast<const char*>(part.data()), part.size());
            n += part.size();
          }
          touched();
        } else {
          ec = boost::asio::error::not_connected;
        }
        home_.run_soon(
          boost::beast::bind_front_handler(std::move(handler), ec, n));
      },
      token, buffers);
  }

private:
  /// A read that waits for input.
  struct waiting_read {
    virtual ~waiting_read() = default;
    /// Fills the reader's buffers from the socket or the rest of the last
    /// read. @returns False if there is nothing to give yet.
    virtual bool try_finish(cork_stream& from) = 0;
    virtual void fail(boost::beast::error_code ec) = 0;
  };

  template <class Buffers, class Handler>
  struct waiting_read_of final : waiting_read {
    waiting_read_of(const Buffers& b, Handler&& h)
      : buffers(b), handler(std::move(h)) {
    }
    bool try_finish(cork_stream& from) override {
      const auto input = from.take_input();
      if (input.empty())
        return false;
      const auto n = boost::asio::buffer_copy(
        buffers, boost::asio::buffer(input.data(), input.size()));
      from.keep_input(input.substr(n));
      auto done = std::move(handler);
      done(boost::beast::error_code{}, n);
      return true;
    }
    void fail(boost::beast::error_code ec) override {
      auto done = std::move(handler);
      done(ec, 0);
    }
    Buffers buffers;
    Handler handler;
  };

  template <class Buffers, class Handler>
  void start_read(const Buffers& buffers, Handler&& handler) {
    waiting_ = std::make_unique<waiting_read_of<Buffers, Handler>>(
      buffers, std::forward<Handler>(handler));
    // From the loop, not from here: a completion must not run inside the
    // call that starts it.
    if (readable_ || !rest_.empty() || !is_open() || error_)
      resume_soon();
    else if (observer_ != nullptr)
      observer_->on_input_end();
  }

  /// Sends what the socket takes.
  void send_some();
  ssize_t send_bytes();
  ssize_t receive_bytes();

  void resume_soon();
  void try_read();

  /// What there is to read: the rest of the last read, or fresh bytes in the
  /// shard's scratch memory. Empty: nothing now, see `error_`.
  std::string_view take_input();
  void keep_input(std::string_view rest);

  shard& home_;
  int fd_;
  tls_ptr tls_; ///< null: in the clear
  bool readable_ = false;
  bool hung_up_ = false;
  bool writable_ = true;
  bool dirty_ = false;
  bool resuming_ = false;
  bool shutdown_pending_ = false;
  boost::beast::error_code error_;
  std::string out_;
  std::size_t out_at_ = 0;
  std::string rest_;
  std::size_t rest_at_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t received_ = 0;
  std::unique_ptr<waiting_read> waiting_;
  observer* observer_ = nullptr;
  /// Tasks that were posted hold it weakly: the stream may be gone by then.
  std::shared_ptr<cork_stream*> alive_;
};

/// Beast's customisation points: closing a cork_stream is immediate, what is
/// gathered goes out first.
void beast_close_socket(cork_stream& stream);
void teardown(boost::beast::role_type role, cork_stream& stream,
              boost::beast::error_code& ec);

template <class Handler>
void async_teardown(boost::beast::role_type, cork_stream& stream,
                    Handler&& handler) {
  stream.shutdown_when_sent();
  stream.get_executor().execute(boost::beast::bind_front_handler(
    std::forward<Handler>(handler), boost::beast::error_code{}));
}

} // namespace vartalap::net
