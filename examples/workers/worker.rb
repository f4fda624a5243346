# A worker in Ruby that crank can replace: it serves on the inherited socket, reports when it is ready, and on a stop
# signal finishes its requests. It needs no packages.
#
#   crank -bind :8080 -name web &
#   crankctl -name web run -wait -- ruby examples/workers/worker.rb hello
require "socket"

# The first socket that crank passed on, from 3 on; meant for this process and no other (sd_listen_fds(3)).
abort "no socket was passed on: run this under crank" unless ENV["LISTEN_PID"] == Process.pid.to_s
server = TCPServer.for_fd(3)

# NOTIFY_FD is one end of a datagram pair: each write is one message.
notify = IO.for_fd(ENV.fetch("NOTIFY_FD").to_i, "w", autoclose: false)
say = ->(text) { notify.syswrite(text) }

# A signal becomes a byte in a pipe, so that waiting for clients and for the signal is the same wait.
stopping, stop = IO.pipe
trap("TERM") { stop.write_nonblock(".") }

body = "#{ARGV.join(" ")} from #{Process.pid}\n"
answer = lambda do |client|
  line = client.gets
  until line.nil? || line.strip.empty?
    line = client.gets
  end
  client.write("HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}") if line
rescue SystemCallError
  nil # the client has gone
ensure
  client.close
end

threads = []
say.("READY=1")
loop do
  ready, = IO.select([server, stopping])
  break if ready.include?(stopping)

  # Another worker may have been quicker: the socket is shared.
  client = server.accept_nonblock(exception: false)
  next if client == :wait_readable

  threads.select!(&:alive?)
  threads << Thread.new(client, &answer)
end

say.("STOPPING=1")
server.close # only this process's: its successor goes on with the socket
threads.each(&:join)
