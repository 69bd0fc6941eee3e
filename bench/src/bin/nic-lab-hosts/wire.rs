//! A wire of QEMU's: frames over TCP, each after its length in four bytes, most significant first.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// One end of it.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
    leaving: Vec<u8>,
}

impl Wire {
    /// The end for whoever is not the card, once QEMU listens.
    pub(crate) fn connect(port: u16, deadline: Instant) -> io::Result<Self> {
        let stream = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_not_yet) => sleep(Duration::from_millis(100)),
            }
        };
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, received: Vec::new(), leaving: Vec::new() })
    }

    /// Sends a frame, sooner or later: see [`Wire::flush`].
    pub(crate) fn send(&mut self, frame: &[u8]) {
        let len = u32::try_from(frame.len()).expect("a frame is short");
        self.leaving.extend(len.to_be_bytes());
        self.leaving.extend(frame);
    }

    /// Hands over what QEMU takes now.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while !self.leaving.is_empty() {
            match self.stream.write(&self.leaving) {
                Ok(taken) => drop(self.leaving.drain(..taken)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next frame that has come in whole.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Some(frame) = self.take() {
            return Ok(Some(frame));
        }
        let mut bytes = [0; 65_536];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(len) => {
                self.received.extend(&bytes[..len]);
                Ok(self.take())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let len = usize::try_from(u32::from_be_bytes(*self.received.first_chunk()?)).ok()?;
        let frame = self.received.get(4..4 + len)?.to_vec();
        self.received.drain(..4 + len);
        Some(frame)
    }
}
